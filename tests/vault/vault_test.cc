#include "slipway/vault/vault.h"

#include <gmock/gmock.h>

#include "vault/sodium.h"
#include "vault/temporary_home.h"

namespace slipway::vault {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Vault open_new(const TemporaryHome& home) {
  auto vault = Vault::open(home.path(), Vault::IfAbsent::Create);
  EXPECT_TRUE(vault) << (vault ? "" : vault.error().message);
  return *std::move(vault);
}

TEST(Vault, OpensWhatItSealed) {
  const TemporaryHome home;
  const auto vault = open_new(home);
  for (const std::string& text : {std::string("hf_abc"), std::string(), std::string("\0\xff\n", 3)}) {
    const auto opened = vault.unseal("HF_TOKEN", vault.seal("HF_TOKEN", Secret(text)));
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(opened->reveal(), text);
  }
}

TEST(Vault, KeepsOneKeyPerHome) {
  const TemporaryHome home;
  const auto sealed = open_new(home).seal("A", Secret("value"));
  EXPECT_EQ(home.mode("key"), 0400U);
  const auto again = Vault::open(home.path(), Vault::IfAbsent::Refuse);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->unseal("A", sealed)->reveal(), "value");
}

TEST(Vault, SealsNeverAlike) {
  const TemporaryHome home;
  const auto vault = open_new(home);
  const Secret secret("the value itself");
  const auto sealed = vault.seal("A", secret);
  EXPECT_NE(sealed, vault.seal("A", secret));
  EXPECT_EQ(sealed.find("value"), std::string::npos);
  EXPECT_EQ(sealed.size(), 1 + kNonceBytes + secret.reveal().size() + kTagBytes);
}

TEST(Vault, OpensNothingThatWasChanged) {
  const TemporaryHome home;
  const auto vault = open_new(home);
  const auto sealed = vault.seal("A", Secret("value"));
  EXPECT_EQ(vault.unseal("B", sealed).error().code, ErrorCode::Corrupt);
  EXPECT_EQ(vault.unseal("A", sealed + "x").error().code, ErrorCode::Corrupt);
  EXPECT_EQ(vault.unseal("A", "").error().code, ErrorCode::Corrupt);
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(vault.unseal("A", changed).error().code, ErrorCode::Corrupt) << i;
    EXPECT_EQ(vault.unseal("A", sealed.substr(0, i)).error().code, ErrorCode::Corrupt) << i;
  }
  const TemporaryHome other;
  EXPECT_EQ(open_new(other).unseal("A", sealed).error().code, ErrorCode::Corrupt);
}

TEST(Vault, DoesNotReplaceALostKey) {
  const TemporaryHome home;
  const auto refused = Vault::open(home.path(), Vault::IfAbsent::Refuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::NotFound);
  EXPECT_THAT(refused.error().message, HasSubstr((home.path() / "key").string()));
  EXPECT_FALSE(std::filesystem::exists(home.path() / "key"));
}

TEST(Vault, RefusesAKeyThatOthersCanReadOrThatIsNone) {
  const TemporaryHome home;
  home.write("key", std::string(64, 'a') + "\n", 0440);
  EXPECT_EQ(Vault::open(home.path(), Vault::IfAbsent::Create).error().code, ErrorCode::Forbidden);
  for (const auto& text : {std::string(), std::string(62, 'a'), std::string(64, 'g'), std::string(66, 'a')}) {
    home.write("key", text, 0400);
    EXPECT_EQ(Vault::open(home.path(), Vault::IfAbsent::Create).error().code, ErrorCode::Corrupt) << text;
  }
  home.write("key", std::string(64, 'a') + "\n", 0400);
  EXPECT_TRUE(Vault::open(home.path(), Vault::IfAbsent::Create));
}

TEST(SealedSecrets, AreOpenedByName) {
  const TemporaryHome home;
  const auto vault = open_new(home);
  SealedSecrets secrets(vault, {{"A", vault.seal("A", Secret("1"))}});
  secrets.set("B", vault.seal("B", Secret("2")));
  EXPECT_THAT(secrets.names(), ElementsAre("A", "B"));
  EXPECT_EQ(secrets.get("B")->reveal(), "2");
  secrets.erase("A");
  const auto gone = secrets.get("A");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code, ErrorCode::NotFound);
  EXPECT_EQ(gone.error().message, "there is no secret A");
}

TEST(IsSecretName, TakesNamesOfEnvironmentVariables) {
  for (const char* good : {"A", "HF_TOKEN", "_x9"}) EXPECT_TRUE(is_secret_name(good)) << good;
  for (const char* bad : {"", "9A", "A-B", "A.B", "A=B", "é"}) EXPECT_FALSE(is_secret_name(bad)) << bad;
  EXPECT_FALSE(is_secret_name(std::string(101, 'A')));
}

// RFC 6234 and draft-irtf-cfrg-xchacha-03, A.3.1: the library is wired the right way round.
TEST(Sodium, AnswersTheTestVectors) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  std::string key;
  for (int i = 0x80; i < 0xa0; ++i) key += static_cast<char>(i);
  std::string nonce;
  for (int i = 0x40; i < 0x58; ++i) nonce += static_cast<char>(i);
  const auto associated = from_hex("50515253c0c1c2c3c4c5c6c7");
  const auto cipher = encrypt(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
      "it.",
      *associated, nonce, reinterpret_cast<const unsigned char*>(key.data()));
  EXPECT_EQ(to_hex(cipher.substr(cipher.size() - kTagBytes)), "c0875924c1c7987947deafd8780acf49");
}

}  // namespace
}  // namespace slipway::vault
