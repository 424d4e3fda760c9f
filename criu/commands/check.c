/* criu check: what of that which criu needs does this kernel have? */
#include <errno.h>
#include <string.h>

#include "commands/command.h"
#include "util/log.h"

static const struct feature_info *find_feature(const char *name)
{
	for (size_t i = 0; i < feature_table_len; i++)
		if (!strcmp(feature_table[i].name, name))
			return &feature_table[i];
	return NULL;
}

/* clang-format off */
/* Features of mainline that belong to things this version does not save. */
static const char *const foreign_features[] = {
	"tun", "tun_ns", "userns", "loginuid", "cgroupns", "autofs", "compat_cr", "can_map_vdso", "net_diag_raw",
	"nsid", "link_nsid", "timens", "external_net_ns", "newifindex", "has_ipt_legacy", "pidfd_store",
	"apparmor_stacking", "move_mount_set_group", "overlayfs_maps", "breakpoints",
};
/* clang-format on */

static int check_on_demand(const struct feature_on_demand *feature)
{
	if (!feature->probe()) {
		pr_warn("%s is not supported: %s", feature->name, feature->needed_for);
		return -EOPNOTSUPP;
	}
	pr_msg("%s is supported", feature->name);
	return 0;
}

static int check_one(const struct kernel_features *features, const char *name)
{
	const struct feature_info *info = find_feature(name);

	if (info && feature_present(features, info)) {
		pr_msg("%s is supported", name);
		return 0;
	}
	if (info) {
		pr_warn("%s is not supported: %s", name, info->needed_for);
		return -EOPNOTSUPP;
	}
	for (size_t i = 0; i < features_on_demand_len; i++)
		if (!strcmp(name, features_on_demand[i].name))
			return check_on_demand(&features_on_demand[i]);
	for (size_t i = 0; i < ARRAY_SIZE(foreign_features); i++) {
		if (!strcmp(name, foreign_features[i])) {
			pr_warn("%s is not used by this version", name);
			return -EOPNOTSUPP;
		}
	}
	pr_err("unknown feature %s; criu check names those there are", name);
	return -EINVAL;
}

static void report(const struct feature_info *info, bool present)
{
	if (present)
		pr_msg("%-26s present", info->name);
	else
		pr_msg("%-26s missing: %s", info->name, info->needed_for);
}

int command_check(const struct options *options, const struct kernel_features *features)
{
	size_t n_failed = 0;

	if (options->check_feature)
		return check_one(features, options->check_feature);
	for (size_t i = 0; i < feature_table_len; i++) {
		const struct feature_info *info = &feature_table[i];
		bool present = feature_present(features, info);

		if (log_level() >= LOG_ERROR)
			report(info, present);
		if (!present && (info->mandatory || options->check_extra)) {
			pr_err("%s is missing: %s", info->name, info->needed_for);
			n_failed++;
		}
	}
	if (n_failed)
		return -EOPNOTSUPP;
	pr_msg("Looks good.");
	return 0;
}
