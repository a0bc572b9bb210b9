// The entry `notify` of a config file:
//
//   notify:
//     ops: {slack: "https://hooks.example.org/…"}
//     audit: {webhook: "https://example.org/hook", secret: HOOK_KEY}
//     team: {mail: "smtp://mail.example.org:587", username: u, secret: SMTP_PASSWORD, from: a@b.c, to: [d@e.f]}
#pragma once

#include "cli/config.h"
#include "slipway/text/node.h"

namespace slipway::cli {

// Adds to `targets` those of `node` whose name is not there yet; what is wrong goes to `diagnostics`.
void read_notify_targets(const text::Node& node, const std::string& path,
                         std::map<std::string, NotifyTarget, std::less<>>& targets, Diagnostics& diagnostics);

}  // namespace slipway::cli
