/* cli_backup.c - `vedette backup` and `vedette restore`: a snapshot, and what is new of it copied elsewhere.
 *
 * The snapshot is hard links beside the data, made by the server that runs on it or, when none does, by us;
 * it is removed when the copy is done, whatever came of it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "decode/time_text.h"
#include "net/http_client.h"
#include "server/cli.h"
#include "server/cli_import.h"
#include "state/state.h"
#include "store/backup.h"
#include "store/embedded.h"

#define PATH_BYTES 4200

/* ---- what is shown ---- */

struct shown {
    struct import_progress bar;
    bool begun;
    const char *what;
};

static void show(void *ctx, uint64_t bytes, uint64_t of_bytes, uint64_t files)
{
    struct shown *s = ctx;
    if (!s->begun) import_progress_begin(&s->bar, s->what, "files", of_bytes);
    s->begun = true;
    import_progress_show(&s->bar, bytes, files);
}

static void line(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

static void shown_end(const struct shown *s)
{
    if (s->begun) import_progress_clear(&s->bar);
}

/* ---- snapshots ---- */

static int remove_tree(const char *dir, struct err *e);

struct removing {
    const char *dir;
    struct err *e;
};

static int remove_one(const char *name, bool is_dir, void *ctx)
{
    struct removing *r = ctx;
    char path[PATH_BYTES];
    if (snprintf(path, sizeof path, "%s/%s", r->dir, name) >= (int)sizeof path)
        return err_set(r->e, ERR_LIMIT, "%s/%s: the path is too long", r->dir, name);
    return is_dir ? remove_tree(path, r->e) : file_unlink(path, r->e);
}

static int remove_tree(const char *dir, struct err *e)
{
    struct removing r = { dir, e };
    int rc = file_list(dir, remove_one, &r, e);
    if (rc == OK && rmdir(dir) < 0) rc = err_errno(e, ERR_IO, "%s", dir);
    return rc;
}

static int snapshot_path(char out[PATH_BYTES], const char *dir, struct str name, struct err *e)
{
    if (name.n == 0 || memchr(name.p, '/', name.n) != NULL || name.p[0] == '.')
        return err_set(e, ERR_PARSE, "the server answered with an odd name of a snapshot: \"%.*s\"",
                       STR_ARG(name));
    int n = snprintf(out, PATH_BYTES, "%s/snapshots/%.*s", dir, STR_ARG(name));
    return n < PATH_BYTES ? OK : err_set(e, ERR_LIMIT, "%s: the path is too long", dir);
}

static void name_in_data(struct json_reader *r, struct str *name)
{
    struct str key;
    if (json_object(r))
        while (json_key(r, &key)) {
            if (str_is(key, "name"))
                json_string(r, name);
            else
                json_skip(r);
        }
}

/* {"status":"success","data":{"name":"..."}} */
static int snapshot_name(const struct http_fetched *got, struct arena *a, struct str *name, struct err *e)
{
    struct json_reader r;
    struct str text = buf_view(&got->body), key;
    *name = (struct str){ "", 0 };
    if (got->status != 200)
        return err_set(e, ERR_RANGE, "the server answered %ld: %.*s", got->status,
                       (int)(text.n < 300 ? text.n : 300), text.p ? text.p : "");
    json_open(&r, text, a);
    if (json_object(&r))
        while (json_key(&r, &key)) {
            if (str_is(key, "data"))
                name_in_data(&r, name);
            else
                json_skip(&r);
        }
    return json_close(&r, e);
}

static int snapshot_of_server(const char *server, const char *dir, char out[PATH_BYTES], struct err *e)
{
    char url[1024];
    snprintf(url, sizeof url, "%s/api/v1/admin/tsdb/snapshot", server);
    struct http_fetch fetch = {
        .method = "POST", .url = url, .timeout_ms = 600000, .max_answer_bytes = 1u << 20
    };
    struct http_fetched got = { 0 };
    struct arena arena = ARENA_INIT(1u << 20);
    struct str name;
    int rc = http_fetch_now(&fetch, &got, e);
    if (rc == OK) rc = snapshot_name(&got, &arena, &name, e);
    if (rc == OK) rc = snapshot_path(out, dir, name, e);
    if (rc == OK && !file_exists(out))
        rc = err_set(e, ERR_FIND, "%s: the server's snapshot is not there; --data must be its data directory",
                     out);
    if (rc < 0) err_where(e, "%s", server);
    buf_release(&got.body);
    arena_release(&arena);
    return rc;
}

static int snapshot_of_files(const char *dir, const char *key, char out[PATH_BYTES], struct err *e)
{
    struct embedded_conf conf = { .dir = dir, .key_file = key };
    struct store *store = NULL;
    char name[64], state[PATH_BYTES + 16];
    snprintf(name, sizeof name, "backup-%" PRId64, clock_now_ms());
    int rc = file_exists(dir) ? OK : err_set(e, ERR_FIND, "%s: there is no such directory", dir);
    if (rc == OK) rc = embedded_open(&conf, &store, e);
    if (rc == OK && (rc = snapshot_path(out, dir, str_of("x"), e)) == OK) {
        *strrchr(out, '/') = 0;
        rc = file_mkdirs(out, e);
    }
    if (rc == OK) rc = snapshot_path(out, dir, str_of(name), e);
    if (rc == OK) rc = store_admin(store, STORE_SNAPSHOT, out, e);
    store_close(store);
    snprintf(state, sizeof state, "%s/state.db", out);
    if (rc == OK) rc = state_copy(dir, state, e);
    if (rc == ERR_BUSY) err_where(e, "a server is running on it: use --server URL");
    return rc;
}

/* ---- vedette backup ---- */

static int fail(const char *command, const struct err *e)
{
    return fprintf(stderr, "vedette %s: %s\n", command, e->text), 1;
}

static int do_backup(const char *dir, const char *server, const char *key, const char *target)
{
    char snapshot[PATH_BYTES];
    struct backup_report report;
    struct shown shown = { .what = target };
    struct backup_watch watch = { .progress = show, .ctx = &shown };
    struct err e = ERR_INIT, gone = ERR_INIT;
    int rc =
        server ? snapshot_of_server(server, dir, snapshot, &e) : snapshot_of_files(dir, key, snapshot, &e);
    if (rc < 0) return fail("backup", &e);
    rc = backup_make(snapshot, target, clock_now_ms(), &watch, &report, &e);
    shown_end(&shown);
    if (remove_tree(snapshot, &gone) < 0)
        fprintf(stderr, "vedette backup: the snapshot is left and may be removed: %s\n", gone.text);
    if (rc < 0) return fail("backup", &e);
    printf("%s: %" PRIu64 " files, %" PRIu64 " bytes; new: %" PRIu64 " files, %" PRIu64 " bytes\n",
           report.name, report.files, report.bytes, report.new_files, report.new_bytes);
    return 0;
}

static void print_backup(void *ctx, const struct backup_info *b)
{
    (void)ctx;
    printf("%-24s %8" PRIu64 " files %14" PRIu64 " bytes\n", b->name, b->files, b->bytes);
}

static int do_list(const char *target)
{
    struct err e = ERR_INIT;
    return backup_each(target, print_backup, NULL, &e) < 0 ? fail("backup", &e) : 0;
}

static int do_check(const char *target)
{
    struct backup_report report;
    struct shown shown = { .what = target };
    struct backup_watch watch = { .progress = show, .line = line, .ctx = &shown };
    struct err e = ERR_INIT;
    int rc = backup_check(target, &watch, &report, &e);
    shown_end(&shown);
    printf("%" PRIu64 " objects, %" PRIu64 " bytes checked, %" PRIu64 " damaged\n", report.files,
           report.bytes, report.damaged);
    return rc < 0 ? fail("backup", &e) : 0;
}

static int do_prune(const char *target, const char *keep)
{
    struct backup_report report;
    struct err e = ERR_INIT;
    uint64_t n;
    if (!str_to_u64(str_of(keep), &n) || n == 0)
        return fprintf(stderr, "vedette backup: --keep wants a number from 1 on, not \"%s\"\n", keep), 2;
    if (backup_prune(target, n, &report, &e) < 0) return fail("backup", &e);
    printf("%" PRIu64 " files, %" PRIu64 " bytes removed\n", report.files, report.bytes);
    return 0;
}

int cli_backup(int argc, char **argv)
{
    static const char usage[] =
        "vedette backup [--data DIR] [--encryption-key-file FILE] [--keep N] TARGET   no server is running\n"
        "       vedette backup --server URL [--data DIR] [--keep N] TARGET   by a running one (--admin-api)\n"
        "       vedette backup --list TARGET | --check TARGET";
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *dir = cli_flag(&argc, argv, "--data"), *server = cli_flag(&argc, argv, "--server"),
               *key = cli_flag(&argc, argv, "--encryption-key-file"), *keep = cli_flag(&argc, argv, "--keep");
    int list = cli_switch(&argc, argv, "--list"), test = cli_switch(&argc, argv, "--check");
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc != 1 || list + test > 1) return fprintf(stderr, "usage: %s\n", usage), 2;
    if (list) return do_list(argv[0]);
    if (test) return do_check(argv[0]);
    int status = do_backup(dir ? dir : "data", server, key, argv[0]);
    return status == 0 && keep != NULL ? do_prune(argv[0], keep) : status;
}

/* ---- vedette restore ---- */

int cli_restore(int argc, char **argv)
{
    static const char usage[] =
        "vedette restore [--at TIME] TARGET DIR   (TIME: 2026-11-21T09:00:00Z; default: newest)";
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *at = cli_flag(&argc, argv, "--at");
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc != 2) return fprintf(stderr, "usage: %s\n", usage), 2;

    int64_t at_ns = INT64_MAX;
    if (at != NULL && !time_from_text(str_of(at), &at_ns))
        return fprintf(stderr, "vedette restore: --at wants a time like 2026-11-21T09:00:00Z, not \"%s\"\n",
                       at),
               2;
    struct backup_report report;
    struct shown shown = { .what = argv[1] };
    struct backup_watch watch = { .progress = show, .ctx = &shown };
    struct err e = ERR_INIT;
    int rc = backup_restore(argv[0], at ? at_ns / 1000000 : INT64_MAX, argv[1], &watch, &report, &e);
    shown_end(&shown);
    if (rc < 0) return fail("restore", &e);
    printf("%s: %" PRIu64 " files, %" PRIu64 " bytes in %s; `vedette fsck --data %s` looks inside\n",
           report.name, report.files, report.bytes, argv[1], argv[1]);
    return 0;
}
