// Rows of dag, dag_version, var, service, notice, pool, share, blob and meta.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "slipway/store/store.h"
#include "store/sqlite.h"

namespace slipway::store {

[[nodiscard]] Result<void> insert_version(Connection& connection, const DagVersion& version);  // if absent
[[nodiscard]] Result<DagVersion> load_version(Connection& connection, const VersionId& id);    // NotFound
// Newest first.
[[nodiscard]] Result<std::vector<DagVersion>> load_versions(Connection& connection, const DagId& dag, int limit);
[[nodiscard]] Result<void> save_dag(Connection& connection, const DagRow& dag);
[[nodiscard]] Result<std::vector<DagRow>> load_dags(Connection& connection);

// No value deletes.
[[nodiscard]] Result<void> save_var(Connection& connection, const std::string& name, const std::optional<Value>& value);
[[nodiscard]] Result<Value> load_vars(Connection& connection);

[[nodiscard]] Result<void> save_service(Connection& connection, const Service& service);
[[nodiscard]] Result<void> delete_service(Connection& connection, const ServiceId& name);
[[nodiscard]] Result<std::vector<Service>> load_services(Connection& connection);

[[nodiscard]] Result<void> save_notice(Connection& connection, const run::Notice& notice);  // if absent
[[nodiscard]] Result<void> delete_notice(Connection& connection, const std::string& id);
[[nodiscard]] Result<std::vector<run::Notice>> load_notices(Connection& connection);  // oldest first

// No pool deletes.
[[nodiscard]] Result<void> save_pool(Connection& connection, const PoolId& name, const std::optional<run::Pool>& pool);
[[nodiscard]] Result<std::map<PoolId, run::Pool>> load_pools(Connection& connection);
[[nodiscard]] Result<void> save_share(Connection& connection, const run::Share& share);
[[nodiscard]] Result<std::vector<run::Share>> load_shares(Connection& connection);

[[nodiscard]] Result<void> save_blob(Connection& connection, const BlobName& blob,
                                     const std::optional<std::string>& bytes);  // nullopt deletes
[[nodiscard]] Result<std::map<std::string, std::string>> load_blobs(Connection& connection, const std::string& space);

// The anchor last saved, if any.
[[nodiscard]] Result<void> save_clock(Connection& connection, const ClockAnchor& clock);
[[nodiscard]] Result<std::optional<ClockAnchor>> load_clock(Connection& connection);

// Counts one more start of the daemon and returns the count.
[[nodiscard]] Result<std::uint64_t> next_boot_epoch(Connection& connection);

}  // namespace slipway::store
