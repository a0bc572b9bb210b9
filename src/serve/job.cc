#include "serve/job.h"

#include <algorithm>

namespace slipway::serve {
namespace {

// Far from the stride between the continuations of one request, so that no two sequences share their draws.
constexpr std::uint64_t kPromptStride = 0xd1342543de82ef95ULL;

}  // namespace

Job::Job(Exchange exchange, Prepared prepared, const JobSurroundings& surroundings)
    : exchange_(std::move(exchange)),
      prepared_(std::move(prepared)),
      surroundings_(surroundings),
      arrived_(surroundings.clock.monotonic()) {
  exchange_.model = prepared_.model;
  for (std::size_t prompt = 0; prompt < prepared_.prompts.size(); ++prompt) {
    exchange_.prompt_texts.push_back(prepared_.prompts[prompt].text);
    exchange_.prompt_tokens += std::ssize(prepared_.prompts[prompt].ids);
    exchange_.first_tokens.push_back(prepared_.prompts[prompt].ids.front());
    for (int i = 0; i < prepared_.params.n; ++i) exchange_.choices.push_back({.prompt = prompt});
  }
  open_ = exchange_.choices.size();
  last_token_.resize(open_);
}

ml::GenerationRequest Job::request(std::size_t prompt) {
  const std::size_t first = prompt * static_cast<std::size_t>(prepared_.params.n);
  const auto at = [first](int index) { return first + static_cast<std::size_t>(index); };
  ml::GenerationRequest request{.prompt = std::move(prepared_.prompts[prompt].ids),
                                .params = prepared_.params,
                                .lora = prepared_.lora,
                                .seed = surroundings_.seed + kPromptStride * prompt};
  request.params.prompt_logprobs = exchange_.ask.echo;
  request.events.started = [self = shared_from_this()] { self->started(); };
  request.events.progress = [self = shared_from_this(), at](int index, const ml::Generation& so_far,
                                                            std::string_view text) {
    self->progress(at(index), so_far, text);
  };
  request.events.finished = [self = shared_from_this(), at](int index, ml::Generation generation) {
    self->finished(at(index), std::move(generation));
  };
  return request;
}

std::variant<http::Response, Refusal> Job::start() {
  {
    // Held until the stream has begun, so that no event comes before.
    const std::lock_guard lock(mutex_);
    for (std::size_t prompt = 0; prompt < prepared_.prompts.size(); ++prompt) {
      const auto submission = surroundings_.engine.submit(request(prompt));
      if (submission.admission == ml::Admission::Accepted) {
        submitted_.push_back(submission.id);
        continue;
      }
      gone_ = true;  // nobody hears those that were taken
      for (const auto id : submitted_) surroundings_.engine.cancel(id);
      if (submission.admission == ml::Admission::Stopping)
        return Refusal{.status = 503, .message = "the server is stopping", .code = "unavailable"};
      return Refusal{.status = 429, .message = "the queue is full; try again", .code = "queue_full"};
    }
    if (exchange_.ask.stream)
      reply_->begin({.content_type = std::string(stream_content_type(exchange_)),
                     .headers = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}}});
  }
  reply_->on_gone([self = shared_from_this()] { self->gone(); });
  return http::Response{.later = reply_};
}

void Job::started() {
  const std::lock_guard lock(mutex_);
  queued_ = std::max(queued_, surroundings_.clock.monotonic() - arrived_);
}

void Job::note_token(std::size_t choice) {
  const MonoInstant now = surroundings_.clock.monotonic();
  auto& last = last_token_[choice];
  if (last) {
    surroundings_.metrics.next_token(now - *last);
  } else {
    surroundings_.metrics.first_token(now - arrived_);
  }
  last = now;
}

void Job::progress(std::size_t choice, const ml::Generation& so_far, std::string_view text) {
  const std::lock_guard lock(mutex_);
  note_token(choice);
  Choice& known = exchange_.choices[choice];
  known.text = text;
  known.tokens = so_far.ids.size();
  if (known.prompt_logprobs.empty()) known.prompt_logprobs = so_far.prompt_logprobs;
  for (std::size_t i = known.logprobs.size(); i < so_far.logprobs.size(); ++i)
    known.logprobs.push_back(so_far.logprobs[i]);
  stream(choice);
}

void Job::finished(std::size_t choice, ml::Generation generation) {
  const std::lock_guard lock(mutex_);
  if (generation.finish != ml::FinishReason::Cancelled) note_token(choice);
  Choice& known = exchange_.choices[choice];
  known.text = std::move(generation.text);
  known.tokens = generation.ids.size();
  known.logprobs = std::move(generation.logprobs);
  known.prompt_logprobs = std::move(generation.prompt_logprobs);
  known.done = true;
  known.end = std::move(generation);
  stream(choice);
  if (--open_ == 0) complete();
}

void Job::stream(std::size_t choice) {
  const Choice& known = exchange_.choices[choice];
  const bool cancelled = known.done && known.end.finish == ml::FinishReason::Cancelled;
  if (!exchange_.ask.stream || gone_ || cancelled) return;
  if (const std::string piece = stream_piece(exchange_, choice); !piece.empty()) reply_->write(piece);
}

void Job::complete() {
  RequestRecord record{.finish = exchange_.choices.front().end.finish,
                       .prompt_tokens = exchange_.prompt_tokens,
                       .max_tokens = prepared_.params.max_tokens,
                       .n = prepared_.params.n,
                       .queued = queued_,
                       .total = surroundings_.clock.monotonic() - arrived_};
  for (const Choice& choice : exchange_.choices) {
    record.output_tokens += static_cast<std::int64_t>(choice.tokens);
    if (choice.end.finish == ml::FinishReason::Cancelled) record.finish = choice.end.finish;
  }
  surroundings_.metrics.finished(record);
  if (gone_) return;
  const bool cancelled = record.finish == ml::FinishReason::Cancelled;
  const Refusal stopping{.status = 503, .message = "the server is stopping", .code = "unavailable"};
  if (exchange_.ask.stream) {
    reply_->write(cancelled ? stream_error(exchange_, stopping) : stream_end(exchange_));
    reply_->end();
  } else if (cancelled) {
    reply_->send({.status = stopping.status, .body = error_reply(stopping).dump()});
  } else {
    reply_->send({.body = whole_reply(exchange_)});
  }
}

void Job::gone() {
  const std::lock_guard lock(mutex_);
  gone_ = true;
  for (const auto id : submitted_) surroundings_.engine.cancel(id);
}

}  // namespace slipway::serve
