/* cli_import.c - `vedette import`: files to a running server, their format told by their content.
 *
 * Prometheus text is sent in pieces cut at line ends, so a file may be of any size; OpenMetrics (ends in "#
 * EOF"), OTLP JSON and gzip files are sent whole. A piece the server partly refuses does not stop the rest;
 * the refusals are shown. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/http_client.h"
#include "server/cli.h"

#define PIECE_BYTES     (4u << 20)
#define WHOLE_MAX_BYTES ((size_t)64 << 20)

static const char usage[] = "vedette import [--server URL] FILE...   (- is standard input)";

struct format {
    const char *name, *path, *content_type, *encoding;
    bool in_pieces;
};

static const struct format formats[] = {
    { "Prometheus text", "/api/v1/import/prometheus", "text/plain; version=0.0.4", NULL, true },
    { "OpenMetrics", "/api/v1/import/prometheus", "application/openmetrics-text; version=1.0.0", NULL,
      false },
    { "OTLP JSON metrics", "/v1/metrics", "application/json", NULL, false },
    { "gzipped Prometheus text", "/api/v1/import/prometheus", "text/plain; version=0.0.4", "gzip", false },
};
enum { PROM_TEXT, OPENMETRICS, OTLP_METRICS, PROM_TEXT_GZIP };

/* NULL: we do not know it. */
static const struct format *recognise(struct str head, struct str tail)
{
    struct str first = str_trim(head);
    if (head.n >= 2 && (unsigned char)head.p[0] == 0x1f && (unsigned char)head.p[1] == 0x8b)
        return &formats[PROM_TEXT_GZIP];
    if (first.n > 0 && first.p[0] == '{' && memmem(head.p, head.n, "resourceMetrics", 15) != NULL)
        return &formats[OTLP_METRICS];
    if (first.n > 0 && (first.p[0] == '[' || memmem(head.p, head.n, "resourceSpans", 13) ||
                        memmem(head.p, head.n, "resourceLogs", 12)))
        return NULL;
    return str_ends(str_trim(tail), "# EOF") ? &formats[OPENMETRICS] : &formats[PROM_TEXT];
}

struct importing {
    const char *server, *file;
    const struct format *format;
    uint64_t sent, total; /* bytes */
    int64_t lines;        /* in the pieces before this one */
    unsigned refused;     /* pieces the server had something to say about */
};

/* The server counts lines from the start of a piece, a person from the start of the file. */
static unsigned show_lines(const struct importing *im, struct json_reader *r)
{
    unsigned shown = 0;
    struct str key, why;
    if (!json_array(r)) return 0;
    while (json_next(r) && json_object(r)) {
        int64_t line = 0;
        why = STR("");
        while (json_key(r, &key)) {
            if (str_is(key, "line"))
                json_i64(r, &line);
            else if (str_is(key, "error"))
                json_string(r, &why);
            else
                json_skip(r);
        }
        fprintf(stderr, "%s:%lld: %.*s\n", im->file, (long long)(im->lines + line), STR_ARG(why));
        shown++;
    }
    return shown;
}

static void show_refusal(const struct importing *im, long status, struct str body)
{
    struct arena arena = ARENA_INIT(1u << 20);
    struct json_reader r;
    struct str key, error = STR("");
    int64_t accepted = 0, rejected = 0;
    unsigned shown = 0;
    json_open(&r, body, &arena);
    if (json_object(&r)) {
        while (json_key(&r, &key)) {
            if (str_is(key, "accepted"))
                json_i64(&r, &accepted);
            else if (str_is(key, "rejected"))
                json_i64(&r, &rejected);
            else if (str_is(key, "error") || str_is(key, "message"))
                json_string(&r, &error);
            else if (str_is(key, "lines"))
                shown += show_lines(im, &r);
            else
                json_skip(&r);
        }
    }
    if (json_close(&r, NULL) < 0) error = body;
    if (shown == 0) fprintf(stderr, "%s: the server answered %ld: %.*s\n", im->file, status, STR_ARG(error));
    if (rejected > 0)
        fprintf(stderr, "%s: %lld samples taken, %lld refused\n", im->file, (long long)accepted,
                (long long)rejected);
    arena_release(&arena);
}

static int send_piece(struct importing *im, struct str piece, struct err *e)
{
    char url[1024], type[128], encoding[64];
    const char *headers[2] = { type, encoding };
    snprintf(url, sizeof url, "%s%s", im->server, im->format->path);
    snprintf(type, sizeof type, "Content-Type: %s", im->format->content_type);
    snprintf(encoding, sizeof encoding, "Content-Encoding: %s",
             im->format->encoding ? im->format->encoding : "identity");
    struct http_fetch fetch = { .method = "POST",
                                .url = url,
                                .headers = headers,
                                .n_headers = im->format->encoding ? 2 : 1,
                                .body = piece,
                                .timeout_ms = 60000,
                                .max_answer_bytes = 1u << 20 };
    struct http_fetched got = { 0 };
    int rc = http_fetch_now(&fetch, &got, e);
    for (unsigned wait_s = 1; rc == OK && (got.status == 429 || got.status == 503) && wait_s <= 8;
         wait_s *= 2) {
        buf_release(&got.body);
        sleep(wait_s);
        rc = http_fetch_now(&fetch, &got, e);
    }
    if (rc == OK && got.status >= 300) {
        im->refused++;
        show_refusal(im, got.status, buf_view(&got.body));
        if (got.status != 400) rc = err_set(e, ERR_IO, "HTTP %ld", got.status);
    }
    buf_release(&got.body);
    im->sent += piece.n;
    if (isatty(2) && im->total > 0)
        fprintf(stderr, "\r%s: %3.0f %%", im->file, 100.0 * (double)im->sent / (double)im->total);
    return rc;
}

/* Up to the last line end within the piece; the rest is read again with the next one. */
static size_t whole_lines(const char *p, size_t n, bool last)
{
    const char *end = memrchr(p, '\n', n);
    return last || end == NULL ? n : (size_t)(end - p) + 1;
}

static int send_pieces(struct importing *im, int fd, struct err *e)
{
    char *piece = mem_alloc(PIECE_BYTES);
    int rc = OK;
    for (uint64_t at = 0; rc == OK && at < im->total;) {
        size_t n = im->total - at < PIECE_BYTES ? (size_t)(im->total - at) : PIECE_BYTES;
        rc = file_read_at(fd, piece, n, at, e);
        if (rc < 0) break;
        n = whole_lines(piece, n, at + n == im->total);
        rc = send_piece(im, str_make(piece, n), e);
        for (size_t i = 0; i < n; i++) im->lines += piece[i] == '\n';
        at += n;
    }
    mem_free(piece);
    return rc;
}

static int send_whole(struct importing *im, int fd, struct err *e)
{
    if (im->total > WHOLE_MAX_BYTES)
        return err_set(e, ERR_LIMIT, "%s files are sent whole and this one is over 64 MiB", im->format->name);
    char *all = mem_alloc((size_t)im->total);
    int rc = file_read_at(fd, all, (size_t)im->total, 0, e);
    if (rc == OK) rc = send_piece(im, str_make(all, (size_t)im->total), e);
    mem_free(all);
    return rc;
}

static int import_fd(const char *server, const char *name, int fd, struct err *e)
{
    char head[4096], tail[64];
    int64_t size = file_size(fd, e);
    if (size < 0) return (int)size;
    size_t n_head = (size_t)size < sizeof head ? (size_t)size : sizeof head;
    size_t n_tail = (size_t)size < sizeof tail ? (size_t)size : sizeof tail;
    int rc = file_read_at(fd, head, n_head, 0, e);
    if (rc == OK) rc = file_read_at(fd, tail, n_tail, (uint64_t)size - n_tail, e);
    if (rc < 0) return rc;

    struct importing im = { .server = server, .file = name, .total = (uint64_t)size };
    im.format = recognise(str_make(head, n_head), str_make(tail, n_tail));
    if (im.format == NULL)
        return err_set(e, ERR_UNSUPPORTED,
                       "not a format this version imports (Prometheus text, OpenMetrics, OTLP JSON metrics)");
    rc = im.format->in_pieces ? send_pieces(&im, fd, e) : send_whole(&im, fd, e);
    if (isatty(2)) fprintf(stderr, "\r");
    if (rc == OK)
        fprintf(stderr, "%s: %llu bytes of %s sent%s\n", name, (unsigned long long)im.sent, im.format->name,
                im.refused ? ", with refusals" : "");
    return rc < 0 ? rc : im.refused > 0 ? err_set(e, ERR_RANGE, "some of it was refused, see above") : OK;
}

/* Standard input is put into an unlinked file first: the format is told by the head and the tail. */
static int spool_stdin(struct err *e)
{
    char path[] = "/tmp/vedette-import-XXXXXX", chunk[65536];
    int fd = mkstemp(path);
    if (fd < 0) return err_errno(e, ERR_IO, "%s", path);
    unlink(path);
    for (ssize_t n; (n = read(0, chunk, sizeof chunk)) > 0;)
        if (file_write(fd, chunk, (size_t)n, e) < 0) return close(fd), ERR_IO;
    return fd;
}

int cli_import(int argc, char **argv)
{
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *server = cli_flag(&argc, argv, "--server");
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc == 0) return fprintf(stderr, "usage: %s\n", usage), 2;

    int status = 0;
    for (int i = 0; i < argc; i++) {
        struct err e = ERR_INIT;
        int fd = strcmp(argv[i], "-") == 0 ? spool_stdin(&e) : file_open(argv[i], O_RDONLY, &e);
        int rc = fd < 0 ? fd : import_fd(server ? server : CLI_SERVER_DEFAULT, argv[i], fd, &e);
        if (fd >= 0) close(fd);
        if (rc < 0) {
            fprintf(stderr, "vedette import: %s: %s\n", argv[i], e.text);
            status = 1;
        }
    }
    return status;
}
