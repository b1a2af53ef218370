/* host_filesystem.c - statvfs of every mounted file system that holds files of people, by node_exporter's
 * default rules. */
#include <stdio.h>
#include <sys/statvfs.h>

#include "base/check.h"
#include "derive/host_put.h"

static bool type_is_left_out(struct str type, struct str mount)
{
    static const char *const types[] = {
        "autofs",   "binfmt_misc", "bpf",        "cgroup",    "cgroup2",  "configfs", "debugfs", "devpts",
        "devtmpfs", "fusectl",     "hugetlbfs",  "iso9660",   "mqueue",   "nsfs",     "proc",    "procfs",
        "pstore",   "rpc_pipefs",  "securityfs", "selinuxfs", "squashfs", "sysfs",    "tracefs",
    };
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_is(type, types[i])) return true;
    return str_is(type, "overlay") &&
           !str_is(mount, "/"); /* a container's own root is the one overlay worth showing */
}

static bool is_under(struct str path, const char *dir)
{
    size_t n = strlen(dir);
    return str_starts(path, dir) && (path.n == n || path.p[n] == '/');
}

static bool mount_is_left_out(struct str mount)
{
    static const char *const dirs[] = {
        "/dev", "/proc", "/sys", "/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"
    };
    for (size_t i = 0; i < COUNT(dirs); i++)
        if (is_under(mount, dirs[i])) return true;
    return false;
}

/* The kernel writes space, tab, newline and backslash as \040 and the like. */
static struct str unescape(struct arena *a, struct str s)
{
    char *out = arena_alloc(a, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\\' && i + 3 < s.n) {
            out[n++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
            i += 3;
        } else {
            out[n++] = s.p[i];
        }
    }
    out[n] = 0;
    return str_make(out, n);
}

static void put_mount(const struct host_out *o, struct str device, struct str mount, struct str type,
                      bool read_only)
{
    char path[4096];
    struct statvfs st;
    snprintf(path, sizeof path, "%s%.*s", o->root, STR_ARG(mount));
    if (statvfs(path, &st) < 0) return;
    double block = (double)st.f_frsize;
    const struct {
        const char *name;
        double value;
    } rows[] = {
        { "node_filesystem_size_bytes", (double)st.f_blocks * block },
        { "node_filesystem_free_bytes", (double)st.f_bfree * block },
        { "node_filesystem_avail_bytes", (double)st.f_bavail * block },
        { "node_filesystem_files", (double)st.f_files },
        { "node_filesystem_files_free", (double)st.f_ffree },
        { "node_filesystem_readonly", read_only },
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        host_put(o, rows[i].name, rows[i].value, "device", device, "fstype", type, "mountpoint", mount, NULL);
}

void host_read_filesystem(const struct host_out *o)
{
    struct str text = host_file(o, "/proc/self/mounts"), line, device, mount, type, options;
    while (host_line(&text, &line)) {
        if (!host_word(&line, &device) || !host_word(&line, &mount) || !host_word(&line, &type) ||
            !host_word(&line, &options))
            continue;
        mount = unescape(o->batch->arena, mount);
        if (type_is_left_out(type, mount) || mount_is_left_out(mount)) continue;
        put_mount(o, unescape(o->batch->arena, device), mount, type,
                  str_is(options, "ro") || str_starts(options, "ro,"));
    }
}
