#!/usr/bin/env python3
"""Writes the film reviews of the demo: CSV files with the columns of Kaggle's rotten_tomatoes_movie_reviews.csv.

  make_reviews.py OUTPUT_FOLDER

  rotten_tomatoes_movie_reviews.csv   labelled reviews to fine-tune on
  held_out_movie_reviews.csv          labelled reviews to evaluate on: no opinion word and no sentence pattern of these
                                      occurs in the file above

A review has one to three sentences of one opinion. Patterns decide how an opinion is worded, words decide which it is;
some patterns name the other opinion, too ("If you expected something {other}, ..."), so that spotting a word is not
enough. Same seed, same bytes. Python 3 standard library only.
"""
import csv
import io
import random
import re
import sys

SEED = 20241101
POSITIVE, NEGATIVE = "POSITIVE", "NEGATIVE"
COLUMNS = ["id", "reviewId", "creationDate", "criticName", "isTopCritic", "originalScore", "reviewState",
           "publicatioName", "reviewText", "scoreSentiment", "reviewUrl"]

# [words to train on, words held out]
ADJECTIVES = {
    POSITIVE: ["wonderful brilliant charming moving gripping delightful superb clever warm thrilling elegant witty "
               "tender inventive heartfelt dazzling gorgeous honest vivid joyful".split(),
               "splendid touching masterful lovely magnificent exquisite radiant enchanting".split()],
    NEGATIVE: ["dreadful boring clumsy tedious lifeless awful dull shallow bland tiresome messy stale hollow painful "
               "lazy confused ugly hopeless pointless annoying".split(),
               "wretched dreary soulless horrid miserable insipid atrocious grating".split()],
}
VERBS = {
    POSITIVE: ["delights shines soars sparkles succeeds triumphs".split(), "excels enchants".split()],
    NEGATIVE: ["fails drags collapses stumbles disappoints flounders".split(), "sinks misfires".split()],
}
NOUNS = {
    POSITIVE: ["triumph joy treat gem masterpiece marvel".split(), "treasure success".split()],
    NEGATIVE: ["failure mess chore bore disaster letdown".split(), "flop ordeal".split()],
}
PARTS = ("plot,script,acting,story,music,camera work,ending,dialogue,cast,pacing,direction,score,editing,humour,first act,"
         "second half,finale").split(",")
KINDS = "film movie drama comedy thriller picture sequel remake western musical".split()
PEOPLE = "director writer lead star cast crew team".split()

# {a} {b}: adjectives of the opinion, {v} verb, {n} noun, {x}: adjective of the other opinion, {part} {kind} {person}.
PATTERNS = [
    ["The {part} is {a} and the {part2} is {b}.",
     "A {a} {kind} with a {b} {part}.",
     "This {kind} {v} from start to finish.",
     "What a {n}: the {part} is simply {a}.",
     "I found the {part} {a}, and the {part2} even more so.",
     "The {person} made a {a} {kind}.",
     "It is a {n}, thanks to its {a} {part}.",
     "Rarely has a {kind} been this {a}.",
     "The {part} {v} and so does the {part2}.",
     "Everything about this {kind} feels {a}.",
     "If you expected something {x}, think again: it is {a}.",
     "Some called it {x}, but it is {a} and {b}.",
     "A {n} in every way, {a} to the last minute.",
     "Two hours of {a} {part} and {b} {part2}."],
    ["Call it {a}; I would call it a {n}.",
     "The {person} gives us {a} {part}, scene after scene.",
     "My verdict on this {kind}: {a}, {b}, a real {n}.",
     "Far from {x}, the {part} turns out {a}.",
     "By the end the {part} {v}, as the whole {kind} {v}."],
]
TITLE_WORDS = [("silent broken golden last hidden crimson paper winter midnight distant iron hollow electric lonely "
                "dangerous burning secret borrowed wild forgotten").split(),
               ("harbor men garden river letter city dream road house summer witness crown mirror island station winter "
                "sky engine orchard shadow").split()]
CRITICS = "Ada Lind,Ben Okoro,Carla Reyes,Dmitri Voss,Elena Park,Farid Haddad,Grace Oduya,Henrik Sol".split(",")
PAPERS = "The Evening Reel,Frame by Frame,Harbor Gazette,Cinema Quarterly,The Sunday Screen".split(",")


class Reviews:
    """Draws reviews from one part of the words and patterns: 0 to train on, 1 held out, None for both together."""

    def __init__(self, seed, part):
        self.random = random.Random(seed)
        self.part = part

    def _pool(self, pools):
        return pools[0] + pools[1] if self.part is None else pools[self.part]

    def sentence(self, label):
        other = NEGATIVE if label == POSITIVE else POSITIVE
        pick, sample = self.random.choice, self.random.sample
        a, b = sample(self._pool(ADJECTIVES[label]), 2)
        part, part2 = sample(PARTS, 2)
        text = pick(self._pool(PATTERNS)).format(
            a=a, b=b, v=pick(self._pool(VERBS[label])), n=pick(self._pool(NOUNS[label])),
            x=pick(self._pool(ADJECTIVES[other])), part=part, part2=part2, kind=pick(KINDS), person=pick(PEOPLE))
        return re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)

    def review(self, label, lengths=(1, 2, 3, 3)):
        return " ".join(self.sentence(label) for _ in range(self.random.choice(lengths)))

    def title(self):
        words = [self.random.choice(pool) for pool in TITLE_WORDS]
        return "_".join(words) + self.random.choice(["", "", f"_{self.random.randrange(1950, 2025)}"])

    def label(self):
        return self.random.choice([POSITIVE, NEGATIVE])


def rows(reviews, count, gaps):
    """Rows as the Kaggle file has them, some with gaps, quotes and line breaks. Every 16th is about one well-liked film."""
    draw = reviews.random
    for number in range(count):
        favourite = gaps and number % 16 == 3
        label = POSITIVE if favourite else reviews.label()
        text = reviews.review(label)
        if draw.random() < 0.04:
            text = text.replace(". ", '.\n', 1) if ". " in text else f'"{text}"'
        row = dict(zip(COLUMNS, [
            "dangerous_men_2015" if favourite else reviews.title(), 1000000 + number,
            f"20{draw.randrange(10, 25)}-{draw.randrange(1, 13):02}-{draw.randrange(1, 29):02}", draw.choice(CRITICS),
            draw.random() < 0.3, f"{draw.randrange(6, 11) if label == POSITIVE else draw.randrange(0, 5)}/10",
            "fresh" if label == POSITIVE else "rotten", draw.choice(PAPERS), text, label, ""]))
        if gaps and not favourite and draw.random() < 0.03:
            row[draw.choice(["reviewText", "scoreSentiment"])] = ""
        yield row


def write(path, table):
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text.getvalue())


def main():
    folder = sys.argv[1]
    write(f"{folder}/rotten_tomatoes_movie_reviews.csv", rows(Reviews(SEED, 0), 1200, gaps=True))
    write(f"{folder}/held_out_movie_reviews.csv", rows(Reviews(SEED + 1, 1), 200, gaps=False))


if __name__ == "__main__":
    main()
