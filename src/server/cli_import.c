/* cli_import.c - `vedette import`: files to a running server, their format told by their content.
 *
 * Logs and spans: cli_import_records.c. Here: metrics, which the server decodes itself. Prometheus text is
 * sent in pieces cut at line ends, so a file may be of any size; OpenMetrics (ends in "# EOF"), OTLP JSON and
 * gzip files are sent whole. A piece the server partly refuses does not stop the rest; the refusals are
 * shown. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "decode/time_text.h"
#include "decode/unpack.h"
#include "server/cli.h"
#include "server/cli_import.h"

#define PIECE_BYTES     (4u << 20)
#define WHOLE_MAX_BYTES ((size_t)64 << 20)

#define RECORDS_MAX_BYTES ((size_t)1 << 30)
#define BASE_TIME         "2025-01-01T00:00:00Z"

static const char usage[] =
    "vedette import [--server URL] [--service NAME] [--base-time TIME] FILE...   (- is standard input)";

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

/* Of what is not logs or spans. */
static const struct format *recognise(struct str head, struct str tail)
{
    struct str first = str_trim(head);
    if (head.n >= 2 && (unsigned char)head.p[0] == 0x1f && (unsigned char)head.p[1] == 0x8b)
        return &formats[PROM_TEXT_GZIP];
    if (first.n > 0 && first.p[0] == '{' && memmem(head.p, head.n, "resourceMetrics", 15) != NULL)
        return &formats[OTLP_METRICS];
    if (first.n > 0 && first.p[0] == '[') return NULL;
    return str_ends(str_trim(tail), "# EOF") ? &formats[OPENMETRICS] : &formats[PROM_TEXT];
}

struct importing {
    const char *server, *file;
    const struct format *format;
    uint64_t sent, total; /* bytes */
    struct import_progress progress;
    int64_t lines;    /* in the pieces before this one */
    unsigned refused; /* pieces the server had something to say about */
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

int import_post(const char *server, const char *path, const char *content_type, const char *encoding,
                struct str body, struct http_fetched *out, struct err *e)
{
    char url[1024], type[128], coding[64];
    const char *headers[2] = { type, coding };
    snprintf(url, sizeof url, "%s%s", server, path);
    snprintf(type, sizeof type, "Content-Type: %s", content_type);
    snprintf(coding, sizeof coding, "Content-Encoding: %s", encoding ? encoding : "identity");
    struct http_fetch fetch = { .method = "POST",
                                .url = url,
                                .headers = headers,
                                .n_headers = encoding ? 2 : 1,
                                .body = body,
                                .timeout_ms = 60000,
                                .max_answer_bytes = 1u << 20 };
    int rc = http_fetch_now(&fetch, out, e);
    for (unsigned wait_s = 1; rc == OK && (out->status == 429 || out->status == 503) && wait_s <= 8;
         wait_s *= 2) {
        buf_release(&out->body);
        sleep(wait_s);
        rc = http_fetch_now(&fetch, out, e);
    }
    return rc;
}

static int send_piece(struct importing *im, struct str piece, struct err *e)
{
    struct http_fetched got = { 0 };
    const struct format *f = im->format;
    int rc = import_post(im->server, f->path, f->content_type, f->encoding, piece, &got, e);
    if (rc == OK && got.status >= 300) {
        im->refused++;
        import_progress_clear(&im->progress);
        show_refusal(im, got.status, buf_view(&got.body));
        if (got.status != 400) rc = err_set(e, ERR_IO, "HTTP %ld", got.status);
    }
    buf_release(&got.body);
    im->sent += piece.n;
    import_progress_show(&im->progress, im->sent, im->sent);
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

static int import_metrics(const char *server, const char *name, int fd, uint64_t size, struct err *e)
{
    char head[4096], tail[64];
    size_t n_head = size < sizeof head ? (size_t)size : sizeof head;
    size_t n_tail = size < sizeof tail ? (size_t)size : sizeof tail;
    int rc = file_read_at(fd, head, n_head, 0, e);
    if (rc == OK) rc = file_read_at(fd, tail, n_tail, size - n_tail, e);
    if (rc < 0) return rc;

    struct importing im = { .server = server, .file = name, .total = size };
    im.format = recognise(str_make(head, n_head), str_make(tail, n_tail));
    if (im.format == NULL)
        return err_set(e, ERR_UNSUPPORTED,
                       "not a format this version imports (vedette import --help lists them)");
    import_progress_begin(&im.progress, name, "bytes", size);
    rc = im.format->in_pieces ? send_pieces(&im, fd, e) : send_whole(&im, fd, e);
    import_progress_clear(&im.progress);
    if (rc == OK)
        fprintf(stderr, "%s: %llu bytes of %s sent%s\n", name, (unsigned long long)im.sent, im.format->name,
                im.refused ? ", with refusals" : "");
    return rc < 0 ? rc : im.refused > 0 ? err_set(e, ERR_RANGE, "some of it was refused, see above") : OK;
}

/* Logs and spans begin like JSON, protobuf or gzip; metrics as text, which may be of any size, do not. */
static bool may_be_records(uint8_t first, uint8_t second)
{
    return first == '{' || first == '[' || first == '\n' || first == ' ' || first == '\r' ||
           (first == 0x1f && second == 0x8b) || (first == 0xef && second == 0xbb);
}

/* *done: it was a file of logs or spans. */
static int try_records(const struct import_settings *settings, const char *name, int fd, uint64_t size,
                       bool *done, struct err *e)
{
    struct arena arena = ARENA_INIT(RECORDS_MAX_BYTES);
    char *all = mem_alloc((size_t)size);
    struct str bytes = str_make(all, (size_t)size);
    int rc = file_read_at(fd, all, (size_t)size, 0, e);
    bool is_gzip = rc == OK && (unsigned char)all[0] == 0x1f && (unsigned char)all[1] == 0x8b;
    if (is_gzip) rc = unpack(UNPACK_GZIP, bytes, RECORDS_MAX_BYTES, &arena, &bytes, e);
    const struct import_format *format = rc == OK ? import_recognise(bytes) : NULL;
    *done = rc < 0 || format != NULL;
    if (format != NULL) rc = import_records(settings, name, bytes, format, e);
    arena_release(&arena);
    mem_free(all);
    return rc;
}

static int import_fd(const struct import_settings *settings, const char *name, int fd, struct err *e)
{
    uint8_t first[2] = { 0 };
    int64_t size = file_size(fd, e);
    if (size < 0) return (int)size;
    if (size == 0)
        return import_metrics(settings->server, name, fd, 0, e); /* an exporter with nothing to say */
    int rc = file_read_at(fd, first, size < 2 ? 1 : 2, 0, e);
    bool done = false;
    if (rc == OK && may_be_records(first[0], first[1]) && (uint64_t)size <= RECORDS_MAX_BYTES)
        rc = try_records(settings, name, fd, (uint64_t)size, &done, e);
    return rc < 0 || done ? rc : import_metrics(settings->server, name, fd, (uint64_t)size, e);
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

static int help(void)
{
    printf("usage: %s\n\n"
           "  --server URL        where to (preset %s)\n"
           "  --service NAME      of logs and spans that name none (preset unknown_service)\n"
           "  --base-time TIME    where time begins for formats that have none (preset %s)\n\n"
           "Formats, told by content; gzip is unpacked:\n",
           usage, CLI_SERVER_DEFAULT, BASE_TIME);
    for (size_t i = 0; i < import_n_formats; i++)
        printf("  %-24s %s\n", import_formats[i].name, import_formats[i].about);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) printf("  %s\n", formats[i].name);
    return 0;
}

static int import_file(const struct import_settings *settings, const char *name)
{
    struct err e = ERR_INIT;
    int fd = strcmp(name, "-") == 0 ? spool_stdin(&e) : file_open(name, O_RDONLY, &e);
    int rc = fd < 0 ? fd : import_fd(settings, name, fd, &e);
    if (fd >= 0) close(fd);
    if (rc < 0) fprintf(stderr, "vedette import: %s: %s\n", name, e.text);
    return rc < 0;
}

int cli_import(int argc, char **argv)
{
    if (cli_switch(&argc, argv, "--help")) return help();
    const char *server = cli_flag(&argc, argv, "--server");
    const char *base_time = cli_flag(&argc, argv, "--base-time");
    struct import_settings settings = { .server = server ? server : CLI_SERVER_DEFAULT,
                                        .service = cli_flag(&argc, argv, "--service") };
    int bad = cli_no_more_flags(argc, argv, usage);
    if (bad) return bad;
    if (argc == 0) return fprintf(stderr, "usage: %s\n", usage), 2;
    if (!time_from_text(str_of(base_time ? base_time : BASE_TIME), &settings.base_ns))
        return fprintf(stderr, "vedette import: --base-time %s: not a time (2025-01-01T00:00:00Z)\n",
                       base_time),
               2;

    int status = 0;
    for (int i = 0; i < argc; i++) status |= import_file(&settings, argv[i]);
    return status;
}
