#include "derive/host.h"

#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "unit/test.h"

static char root[] = "/tmp/vedette-host-XXXXXX";

static void proc(const char *path, const char *text)
{
    char full[512], *slash;
    snprintf(full, sizeof full, "%s/proc/%s", root, path);
    slash = strrchr(full, '/');
    *slash = 0;
    EXPECT(file_mkdirs(full, NULL) == OK);
    *slash = '/';
    FILE *f = fopen(full, "w");
    EXPECT(f != NULL && fputs(text, f) >= 0 && fclose(f) == 0);
}

static int forget_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void forget_all(void)
{
    nftw(root, forget_one, 8, FTW_DEPTH | FTW_PHYS);
    mkdir(root, 0700);
}

/* One reading; values are found by the name as PromQL prints it, without job and instance. */
struct reading {
    struct arena arena;
    struct batch b;
};

static void take(struct reading *r, bool process)
{
    r->arena = (struct arena)ARENA_INIT(64u << 20);
    batch_init(&r->b, &r->arena, LABELS_PACKED);
    if (process)
        host_read_process(&r->b, root, STR("vedette"), STR("here:1"), 1700000000000);
    else
        host_read(&r->b, root, STR("node"), STR("here:1"), 1700000000000);
}

static double value_of(struct reading *r, const char *job, const char *series)
{
    for (size_t i = 0; i < r->b.n_series; i++) {
        struct labels l = labels_unpack(r->b.series[i].raw, &r->arena);
        struct label rest[16];
        struct buf text = BUF_INIT(4096);
        size_t n = 0;
        EXPECT(str_is(labels_get(l, "job"), job) && str_is(labels_get(l, "instance"), "here:1"));
        EXPECT_INT(r->b.series[i].n_rows, 1);
        EXPECT(r->b.time_ms[r->b.series[i].row] == 1700000000000);
        for (size_t k = 0; k < l.n; k++)
            if (!str_is(l.at[k].name, "job") && !str_is(l.at[k].name, "instance")) rest[n++] = l.at[k];
        labels_print(&text, (struct labels){ rest, n });
        bool is_it = strcmp(buf_cstr(&text), series) == 0;
        buf_release(&text);
        if (is_it) return r->b.value[r->b.series[i].row];
    }
    return NAN;
}

static void is_about(struct reading *r, const char *series, double want)
{
    double got = value_of(r, "node", series);
    if (!(fabs(got - want) <= 1e-9 * fabs(want) + 1e-12))
        fail_msg("%s is %.17g, not %.17g", series, got, want);
}

#define VALUE(series, want) is_about(&r, series, want)
#define ABSENT(series)      EXPECT(isnan(value_of(&r, "node", series)))

/* Clock ticks are 100 a second on every Linux that Debian 12 runs on. */
TEST(processor_times_are_in_seconds_by_mode)
{
    struct reading r;
    proc("stat",
         "cpu  300 0 0 0 0 0 0 0 0 0\n"
         "cpu0 100 20 30 4000 50 6 7 8 9 10\n"
         "cpu11 200 0 0 0 0 0 0 0 0 0\n"
         "intr 12345 1 2 3\nctxt 678\nbtime 1690000000\nprocesses 99\nprocs_running 2\nprocs_blocked 1\n"
         "softirq 5 1 1\n");
    take(&r, false);
    VALUE("node_cpu_seconds_total{cpu=\"0\", mode=\"user\"}", 1.0);
    VALUE("node_cpu_seconds_total{cpu=\"0\", mode=\"nice\"}", 0.2);
    VALUE("node_cpu_seconds_total{cpu=\"0\", mode=\"idle\"}", 40.0);
    VALUE("node_cpu_seconds_total{cpu=\"0\", mode=\"steal\"}", 0.08);
    VALUE("node_cpu_guest_seconds_total{cpu=\"0\", mode=\"user\"}", 0.09);
    VALUE("node_cpu_guest_seconds_total{cpu=\"0\", mode=\"nice\"}", 0.1);
    VALUE("node_cpu_seconds_total{cpu=\"11\", mode=\"user\"}", 2.0);
    ABSENT("node_cpu_seconds_total{cpu=\"\", mode=\"user\"}");
    ABSENT("node_cpu_seconds_total{mode=\"user\"}"); /* the sum over all is no processor */
    VALUE("node_intr_total", 12345);
    VALUE("node_context_switches_total", 678);
    VALUE("node_boot_time_seconds", 1690000000);
    VALUE("node_forks_total", 99);
    VALUE("node_procs_running", 2);
    VALUE("node_procs_blocked", 1);
    VALUE("node_time_seconds", 1700000000);
    arena_release(&r.arena);
}

TEST(memory_is_in_bytes_where_the_kernel_says_kb)
{
    struct reading r;
    proc("meminfo",
         "MemTotal:       16384 kB\nActive(anon):    12 kB\nHugePages_Total:       3\nDirectMap4k:  1 kB\n");
    take(&r, false);
    VALUE("node_memory_MemTotal_bytes", 16384 * 1024);
    VALUE("node_memory_Active_anon_bytes", 12 * 1024);
    VALUE("node_memory_HugePages_Total", 3);
    VALUE("node_memory_DirectMap4k_bytes", 1024);
    arena_release(&r.arena);
}

/* Columns by the kernel's Documentation/admin-guide/iostats.rst; a sector is 512 bytes, times are
 * milliseconds. */
TEST(disks_are_whole_devices)
{
    struct reading r;
    proc("diskstats", "   8       0 sda 10 1 16 500 20 2 32 1500 3 4000 6000 5 0 64 250 7 80\n"
                      "   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n"
                      " 259       0 nvme0n1 11 0 0 0 0 0 0 0 0 0 0\n"
                      " 259       1 nvme0n1p2 1 0 0 0 0 0 0 0 0 0 0\n"
                      "   7       0 loop0 1 0 0 0 0 0 0 0 0 0 0\n"
                      " 253       0 dm-0 12 0 0 0 0 0 0 0 0 0 0\n");
    take(&r, false);
    VALUE("node_disk_reads_completed_total{device=\"sda\"}", 10);
    VALUE("node_disk_reads_merged_total{device=\"sda\"}", 1);
    VALUE("node_disk_read_bytes_total{device=\"sda\"}", 16 * 512);
    VALUE("node_disk_read_time_seconds_total{device=\"sda\"}", 0.5);
    VALUE("node_disk_writes_completed_total{device=\"sda\"}", 20);
    VALUE("node_disk_written_bytes_total{device=\"sda\"}", 32 * 512);
    VALUE("node_disk_write_time_seconds_total{device=\"sda\"}", 1.5);
    VALUE("node_disk_io_now{device=\"sda\"}", 3);
    VALUE("node_disk_io_time_seconds_total{device=\"sda\"}", 4);
    VALUE("node_disk_io_time_weighted_seconds_total{device=\"sda\"}", 6);
    VALUE("node_disk_discards_completed_total{device=\"sda\"}", 5);
    VALUE("node_disk_discarded_sectors_total{device=\"sda\"}", 64);
    VALUE("node_disk_discard_time_seconds_total{device=\"sda\"}", 0.25);
    VALUE("node_disk_flush_requests_total{device=\"sda\"}", 7);
    VALUE("node_disk_flush_requests_time_seconds_total{device=\"sda\"}", 0.08);
    VALUE("node_disk_reads_completed_total{device=\"nvme0n1\"}", 11);
    VALUE("node_disk_reads_completed_total{device=\"dm-0\"}", 12);
    ABSENT("node_disk_reads_completed_total{device=\"sda1\"}");
    ABSENT("node_disk_reads_completed_total{device=\"nvme0n1p2\"}");
    ABSENT("node_disk_reads_completed_total{device=\"loop0\"}");
    ABSENT("node_disk_flush_requests_total{device=\"nvme0n1\"}"); /* an older kernel has fewer columns */
    arena_release(&r.arena);
}

TEST(network_devices_by_direction)
{
    struct reading r;
    proc("net/dev", "Inter-|   Receive                                                |  Transmit\n"
                    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
                    "drop fifo colls carrier "
                    "compressed\n"
                    "    lo: 1000 10 1 2 3 4 5 6 2000 20 7 8 9 11 12 13\n"
                    "eth0:99 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n");
    take(&r, false);
    VALUE("node_network_receive_bytes_total{device=\"lo\"}", 1000);
    VALUE("node_network_receive_multicast_total{device=\"lo\"}", 6);
    VALUE("node_network_transmit_bytes_total{device=\"lo\"}", 2000);
    VALUE("node_network_transmit_colls_total{device=\"lo\"}", 11);
    VALUE("node_network_transmit_compressed_total{device=\"lo\"}", 13);
    VALUE("node_network_receive_bytes_total{device=\"eth0\"}", 99);
    arena_release(&r.arena);
}

TEST(load_pressure_paging_and_open_files)
{
    struct reading r;
    proc("loadavg", "0.25 1.5 3.75 2/345 6789\n");
    proc("pressure/io", "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\n"
                        "full avg10=0.00 avg60=0.00 avg300=0.00 total=1000000\n");
    proc("vmstat", "nr_free_pages 1\npgfault 77\npgmajfault 8\noom_kill 2\n");
    proc("sys/fs/file-nr", "1024\t0\t65536\n");
    take(&r, false);
    VALUE("node_load1", 0.25);
    VALUE("node_load5", 1.5);
    VALUE("node_load15", 3.75);
    VALUE("node_pressure_io_waiting_seconds_total", 2.5);
    VALUE("node_pressure_io_stalled_seconds_total", 1.0);
    VALUE("node_vmstat_pgfault", 77);
    VALUE("node_vmstat_oom_kill", 2);
    ABSENT("node_vmstat_nr_free_pages");
    VALUE("node_filefd_allocated", 1024);
    VALUE("node_filefd_maximum", 65536);
    arena_release(&r.arena);
}

/* The reader stats the mount point below the root, so the folder has to be there. */
TEST(file_systems_that_hold_files_of_people)
{
    struct reading r;
    char dir[512];
    proc("self/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\n"
                        "proc /proc proc rw 0 0\n"
                        "tmpfs /dev/shm tmpfs rw 0 0\n"
                        "/dev/sdb1 /with\\040blank ext4 ro,relatime 0 0\n"
                        "/dev/sdc1 /not-there ext4 rw 0 0\n"
                        "short\n\n"
                        "x \\9 y rw 0 0\n"
                        "x /\\04 y rw 0 0\n");
    snprintf(dir, sizeof dir, "%s/with blank", root);
    mkdir(dir, 0700);
    take(&r, false);
    EXPECT(value_of(&r, "node",
                    "node_filesystem_size_bytes{device=\"/dev/sda1\", fstype=\"ext4\", mountpoint=\"/\"}") >
           0);
    VALUE("node_filesystem_readonly{device=\"/dev/sda1\", fstype=\"ext4\", mountpoint=\"/\"}", 0);
    VALUE("node_filesystem_readonly{device=\"/dev/sdb1\", fstype=\"ext4\", mountpoint=\"/with blank\"}", 1);
    ABSENT("node_filesystem_readonly{device=\"proc\", fstype=\"proc\", mountpoint=\"/proc\"}");
    ABSENT("node_filesystem_readonly{device=\"tmpfs\", fstype=\"tmpfs\", mountpoint=\"/dev/shm\"}");
    ABSENT("node_filesystem_readonly{device=\"/dev/sdc1\", fstype=\"ext4\", mountpoint=\"/not-there\"}");
    arena_release(&r.arena);
}

TEST(what_is_missing_is_left_out)
{
    struct reading r;
    forget_all();
    take(&r, false);
    VALUE("node_time_seconds", 1700000000);
    EXPECT_INT(r.b.n_series, 2); /* and node_uname_info, which is asked of the kernel */
    arena_release(&r.arena);
}

/* Garbage in any file: no crash, no NaN, and no series with a broken name. */
TEST(garbled_files_do_no_harm)
{
    static const char *const files[] = { "stat",    "meminfo",        "diskstats",   "net/dev",
                                         "loadavg", "pressure/cpu",   "pressure/io", "pressure/memory",
                                         "vmstat",  "sys/fs/file-nr", "self/mounts", "self/stat" };
    static const char *const texts[] = { "",
                                         "\n\n\n",
                                         "cpu",
                                         "cpu0",
                                         "cpu0 x y z",
                                         "intr",
                                         ":",
                                         "::::",
                                         "a:b",
                                         "MemTotal:",
                                         "MemTotal: x kB",
                                         "8 0 sda",
                                         "8 0 sda - - -",
                                         "8",
                                         "lo:",
                                         "lo: a b",
                                         "some total=",
                                         "some total=x",
                                         "total=",
                                         "pgfault",
                                         "pgfault \xff\xfe",
                                         "\xff\xfe \xff \xff \xff",
                                         "1 2",
                                         "1 (a b",
                                         "1 (a) S",
                                         "\\ \\ \\ \\",
                                         "/a \\0 ext4 ro",
                                         "/a \\777\\777\\777\\777 ext4 ro",
                                         "cpu0 1e999 nan inf" };
    for (size_t t = 0; t < sizeof texts / sizeof texts[0]; t++) {
        struct reading r;
        for (size_t f = 0; f < sizeof files / sizeof files[0]; f++) proc(files[f], texts[t]);
        take(&r, false);
        for (size_t i = 0; i < r.b.n_rows; i++) EXPECT(!isnan(r.b.value[i]));
        for (size_t i = 0; i < r.b.n_series; i++) {
            struct labels l;
            EXPECT(labels_unpack_checked(r.b.series[i].raw, &r.arena, &l, NULL) == OK);
        }
        arena_release(&r.arena);
        take(&r, true);
        for (size_t i = 0; i < r.b.n_rows; i++) EXPECT(!isnan(r.b.value[i]));
        arena_release(&r.arena);
    }
    forget_all();
}

/* proc(5): utime 14, stime 15, threads 20, start 22, vsize 23, rss 24 in pages; the name may hold blanks and
 * brackets. */
TEST(our_process_as_client_libraries_name_it)
{
    struct reading r;
    proc("stat", "btime 1690000000\n");
    proc("self/stat",
         "42 (odd ) name) S 1 42 42 0 -1 4194560 100 0 0 0 250 150 0 0 20 0 7 0 12345 1000000 50 1844\n");
    take(&r, true);
    double page = (double)sysconf(_SC_PAGESIZE);
    EXPECT(fabs(value_of(&r, "vedette", "process_cpu_seconds_total") - 4.0) < 1e-9);
    EXPECT(value_of(&r, "vedette", "process_threads") == 7);
    EXPECT(fabs(value_of(&r, "vedette", "process_start_time_seconds") - 1690000123.45) < 1e-6);
    EXPECT(value_of(&r, "vedette", "process_virtual_memory_bytes") == 1000000);
    EXPECT(value_of(&r, "vedette", "process_resident_memory_bytes") == 50 * page);
    EXPECT(value_of(&r, "vedette", "process_max_fds") > 0);
    arena_release(&r.arena);
}

TEST(this_machine_can_be_read)
{
    struct arena a = ARENA_INIT(64u << 20);
    struct batch b;
    batch_init(&b, &a, LABELS_PACKED);
    host_read(&b, "", STR("node"), STR("x"), 1);
    EXPECT(b.n_series > 20);
    arena_release(&a);
}

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) == NULL;
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, forget_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
    const struct CMUnitTest all[] = {
        CASE(processor_times_are_in_seconds_by_mode),
        CASE(memory_is_in_bytes_where_the_kernel_says_kb),
        CASE(disks_are_whole_devices),
        CASE(network_devices_by_direction),
        CASE(load_pressure_paging_and_open_files),
        CASE(file_systems_that_hold_files_of_people),
        CASE(what_is_missing_is_left_out),
        CASE(garbled_files_do_no_harm),
        CASE(our_process_as_client_libraries_name_it),
        CASE(this_machine_can_be_read),
    };
    return cmocka_run_group_tests(all, make_root, remove_root);
}
