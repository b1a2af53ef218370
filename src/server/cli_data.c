/* cli_data.c - `vedette fsck`, `vedette snapshot` and `vedette rotate-key`: the data directory as bytes. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "net/http_client.h"
#include "server/cli.h"
#include "state/state.h"
#include "store/embedded.h"

#define KEY_FLAG "--encryption-key-file"

static void print_line(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

int cli_fsck(int argc, char **argv)
{
    static const char usage[] = "vedette fsck [--data DIR] [--encryption-key-file FILE]";
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *dir = cli_flag(&argc, argv, "--data"), *key = cli_flag(&argc, argv, KEY_FLAG);
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;

    struct fsck_report report = { 0 };
    struct err e = ERR_INIT;
    if (dir == NULL) dir = "data";
    int rc = key ? embedded_unlock(dir, key, &e) : OK;
    if (rc == OK) rc = embedded_fsck(dir, print_line, NULL, &report, &e);
    embedded_lock(dir);
    if (rc < 0) return fprintf(stderr, "vedette fsck: %s\n", e.text), 1;
    if (state_check(dir, &e) < 0) {
        report.damaged++;
        puts(e.text);
    }
    printf("%llu files, %llu bytes, %llu parts, %llu rows checked, %llu damaged\n",
           (unsigned long long)report.files, (unsigned long long)report.bytes,
           (unsigned long long)report.parts, (unsigned long long)report.rows,
           (unsigned long long)report.damaged);
    return report.damaged > 0;
}

/* A running server holds its directory; it makes the snapshot itself (needs --admin-api there). */
static int snapshot_by_server(const char *server)
{
    char url[1024];
    snprintf(url, sizeof url, "%s/api/v1/admin/tsdb/snapshot", server);
    struct http_fetch fetch = {
        .method = "POST", .url = url, .timeout_ms = 600000, .max_answer_bytes = 1u << 20
    };
    struct http_fetched got = { 0 };
    struct err e = ERR_INIT;
    if (http_fetch_now(&fetch, &got, &e) < 0)
        return fprintf(stderr, "vedette snapshot: %s: %s\n", server, e.text), 1;
    fprintf(got.status == 200 ? stdout : stderr, "%.*s\n", (int)got.body.n, got.body.p ? got.body.p : "");
    buf_release(&got.body);
    return got.status != 200;
}

static int snapshot_offline(const char *dir, const char *key, const char *target)
{
    struct embedded_conf conf = { .dir = dir, .key_file = key };
    struct store *store = NULL;
    struct err e = ERR_INIT;
    char state[4096];
    int rc = embedded_open(&conf, &store, &e);
    if (rc == OK) rc = store_admin(store, STORE_SNAPSHOT, target, &e);
    store_close(store);
    snprintf(state, sizeof state, "%s/state.db", target);
    if (rc == OK) rc = state_copy(dir, state, &e);
    if (rc == ERR_BUSY)
        return fprintf(stderr, "vedette snapshot: %s\nA server is running on it: use --server URL.\n",
                       e.text),
               1;
    if (rc < 0) return fprintf(stderr, "vedette snapshot: %s\n", e.text), 1;
    return printf("%s\n", target), 0;
}

int cli_snapshot(int argc, char **argv)
{
    static const char usage[] = "vedette snapshot --data DIR [--encryption-key-file FILE] TARGET   |"
                                "   vedette snapshot --server URL";
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *dir = cli_flag(&argc, argv, "--data"), *server = cli_flag(&argc, argv, "--server"),
               *key = cli_flag(&argc, argv, KEY_FLAG);
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (server != NULL && argc == 0) return snapshot_by_server(server);
    if (server == NULL && argc == 1) return snapshot_offline(dir ? dir : "data", key, argv[0]);
    return fprintf(stderr, "usage: %s\n", usage), 2;
}

/* Another key file for an encrypted store that no server has open: at once, whatever its size. */
int cli_rotate_key(int argc, char **argv)
{
    static const char usage[] =
        "vedette rotate-key [--data DIR] --encryption-key-file FILE --new-key-file FILE";
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *dir = cli_flag(&argc, argv, "--data"), *key = cli_flag(&argc, argv, KEY_FLAG),
               *next = cli_flag(&argc, argv, "--new-key-file");
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (key == NULL || next == NULL || argc != 0) return fprintf(stderr, "usage: %s\n", usage), 2;

    struct err e = ERR_INIT;
    if (embedded_rotate_key(dir ? dir : "data", key, next, &e) < 0)
        return fprintf(stderr, "vedette rotate-key: %s\n", e.text), 1;
    printf("the key is now that of %s; snapshots and backups made before still have the other\n", next);
    return 0;
}
