#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "receive/tail_impl.h"

#define STATE_BYTES_MAX (TAIL_FILES_MAX * 8192u)

/* 64-bit numbers are texts: readers of JSON elsewhere keep 53 bits. */
static void read_u64(struct json_reader *r, uint64_t *out)
{
    struct str text;
    if (json_string(r, &text) && !str_to_u64(text, out)) json_fail(r, "expected a number");
}

static void read_file(struct json_reader *r, struct tailed *f)
{
    struct str key, path = STR("");
    uint64_t head_n = 0;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (str_is(key, "path"))
            json_string(r, &path);
        else if (str_is(key, "dev"))
            read_u64(r, &f->dev);
        else if (str_is(key, "ino"))
            read_u64(r, &f->ino);
        else if (str_is(key, "at"))
            read_u64(r, &f->at);
        else if (str_is(key, "head"))
            read_u64(r, &f->head);
        else if (str_is(key, "head_n"))
            read_u64(r, &head_n);
        else if (str_is(key, "skips"))
            json_bool(r, &f->skips);
        else
            json_skip(r);
    }
    f->head_n = head_n <= TAIL_HEAD_BYTES ? (uint32_t)head_n : 0;
    f->path = str_dup(path);
}

static void read_files(struct json_reader *r, struct tailed **files, size_t *n, size_t *cap)
{
    struct str key;
    if (!json_object(r)) return;
    while (json_key(r, &key)) {
        if (!str_is(key, "files")) {
            json_skip(r);
            continue;
        }
        if (!json_array(r)) return;
        while (*n < TAIL_FILES_MAX && json_next(r)) {
            struct tailed f = { .fd = -1 };
            read_file(r, &f);
            if (f.path == NULL) return;
            *files = mem_grow(*files, *n, cap, sizeof **files);
            (*files)[(*n)++] = f;
        }
    }
}

void tail_state_read(const char *path, struct tailed **files, size_t *n, size_t *cap)
{
    struct buf text = BUF_INIT(STATE_BYTES_MAX);
    struct arena a = ARENA_INIT(2 * STATE_BYTES_MAX);
    struct json_reader r;
    struct err e = ERR_INIT;
    int rc = file_slurp(path, &text, &e);
    if (rc == OK) {
        json_open(&r, buf_view(&text), &a);
        read_files(&r, files, n, cap);
        rc = json_close(&r, &e);
    }
    if (rc < 0 && rc != ERR_FIND)
        log_error("tail", "positions cannot be read: files are read from where the configuration says",
                  "file", path, "error", e.text, NULL);
    arena_release(&a);
    buf_release(&text);
}

static void put_u64(struct json_writer *w, const char *key, uint64_t v)
{
    char digits[24];
    snprintf(digits, sizeof digits, "%" PRIu64, v);
    json_kv_cs(w, key, digits);
}

int tail_state_write(const char *path, const struct tailed *files, size_t n, struct err *e)
{
    struct buf text = BUF_INIT(STATE_BYTES_MAX);
    struct json_writer w;
    json_writer_init(&w, &text);
    json_begin_object(&w);
    json_put_key(&w, STR("files"));
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        json_kv_cs(&w, "path", files[i].path);
        put_u64(&w, "dev", files[i].dev);
        put_u64(&w, "ino", files[i].ino);
        put_u64(&w, "at", files[i].at);
        put_u64(&w, "head", files[i].head);
        put_u64(&w, "head_n", files[i].head_n);
        json_kv_bool(&w, "skips", files[i].skips);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    buf_char(&text, '\n');
    int rc = text.full ? err_set(e, ERR_LIMIT, "%s would be too large", path)
                       : file_replace(path, buf_view(&text), e);
    buf_release(&text);
    return rc;
}
