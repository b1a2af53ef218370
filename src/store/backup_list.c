/* backup_list.c - see backup_list.h. What is read is checked by its hash and then distrusted all the same: a
 * path may not lead out of the directory that is restored. */
#include "store/backup_list.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define LIST_MAX_BYTES ((size_t)256 << 20)
#define HEAD           "vedette-backup 1\n"
#define HASH_HEX       32
#define PATH_LONGEST   1024

void backup_list_init(struct backup_list *l)
{
    *l = (struct backup_list){ .arena = ARENA_INIT(LIST_MAX_BYTES * 2) };
}

void backup_list_release(struct backup_list *l)
{
    mem_free(l->files);
    arena_release(&l->arena);
    l->files = NULL;
    l->n = l->cap = 0;
}

void backup_list_add(struct backup_list *l, const struct backup_file *f)
{
    l->files = mem_grow(l->files, l->n, &l->cap, sizeof l->files[0]);
    l->files[l->n] = *f;
    l->files[l->n++].path = arena_str(&l->arena, f->path);
}

static int by_path(const void *key, const void *file)
{
    return str_cmp(*(const struct str *)key, ((const struct backup_file *)file)->path);
}

const struct backup_file *backup_list_find(const struct backup_list *l, struct str path)
{
    return l->n == 0 ? NULL : bsearch(&path, l->files, l->n, sizeof l->files[0], by_path);
}

void backup_object_name(char out[BACKUP_OBJECT_MAX], const struct backup_file *f)
{
    snprintf(out, BACKUP_OBJECT_MAX, "%02x/%016" PRIx64 "%016" PRIx64 "-%" PRIu64,
             (unsigned)(f->hash.hi >> 56), f->hash.hi, f->hash.lo, f->bytes);
}

/* ---- reading ---- */

static bool hex_u64(const char *p, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < 16; i++) {
        int digit = p[i] >= '0' && p[i] <= '9'   ? p[i] - '0'
                    : p[i] >= 'a' && p[i] <= 'f' ? p[i] - 'a' + 10
                                                 : -1;
        if (digit < 0) return false;
        *out = *out << 4 | (unsigned)digit;
    }
    return true;
}

static bool hash_read(struct str s, struct hash128 *out)
{
    return s.n == HASH_HEX && hex_u64(s.p, &out->hi) && hex_u64(s.p + 16, &out->lo);
}

static bool path_is_inside(struct str path)
{
    if (path.n == 0 || path.n > PATH_LONGEST || memchr(path.p, 0, path.n) != NULL) return false;
    for (struct str rest = path, name; rest.n > 0;) {
        name = str_cut(rest, '/', &rest);
        if (name.n == 0 || str_is(name, ".") || str_is(name, "..")) return false;
    }
    return path.p[path.n - 1] != '/';
}

static bool read_line(struct backup_list *l, struct str line)
{
    struct backup_file f;
    struct str rest, hash = str_cut(line, ' ', &rest), bytes = str_cut(rest, ' ', &rest),
                     mtime = str_cut(rest, ' ', &f.path);
    if (!hash_read(hash, &f.hash) || !str_to_u64(bytes, &f.bytes) || !str_to_i64(mtime, &f.mtime_ns) ||
        f.bytes > INT64_MAX || !path_is_inside(f.path))
        return false;
    if (l->n > 0 && str_cmp(l->files[l->n - 1].path, f.path) >= 0) return false;
    backup_list_add(l, &f);
    return true;
}

static bool read_lines(struct backup_list *l, struct str text)
{
    struct str rest, line = str_cut(text, '\n', &rest);
    if (!str_is(line, "vedette-backup 1")) return false;
    line = str_cut(rest, '\n', &rest);
    if (!str_starts(line, "time ") || !str_to_i64(str_make(line.p + 5, line.n - 5), &l->time_ms))
        return false;
    while (rest.n > 0) {
        line = str_cut(rest, '\n', &rest);
        if (!read_line(l, line)) return false;
    }
    return true;
}

/* The text before the last line, when that is "end" and its hash. */
static bool take_end(struct str *text)
{
    const size_t n = sizeof "end \n" - 1 + HASH_HEX;
    struct hash128 want;
    if (text->n < n || text->p[text->n - 1] != '\n') return false;
    struct str end = str_make(text->p + text->n - n, n);
    if (!str_starts(end, "end ") || !hash_read(str_make(end.p + 4, HASH_HEX), &want)) return false;
    text->n -= n;
    return hash128_eq(hash128(text->p, text->n), want);
}

int backup_list_read(const char *path, struct backup_list *l, struct err *e)
{
    struct buf bytes = BUF_INIT(LIST_MAX_BYTES);
    int rc = file_slurp(path, &bytes, e);
    struct str text = buf_view(&bytes);
    if (rc == OK && (!take_end(&text) || !read_lines(l, text)))
        rc = err_set(e, ERR_CORRUPT, "%s: is not the list of a backup, or is damaged", path);
    buf_release(&bytes);
    return rc;
}

/* ---- writing ---- */

int backup_list_write(const char *path, const struct backup_list *l, struct err *e)
{
    struct buf out = BUF_INIT(LIST_MAX_BYTES);
    buf_cs(&out, HEAD);
    buf_printf(&out, "time %" PRId64 "\n", l->time_ms);
    for (size_t i = 0; i < l->n; i++) {
        const struct backup_file *f = &l->files[i];
        buf_printf(&out, "%016" PRIx64 "%016" PRIx64 " %" PRIu64 " %" PRId64 " %.*s\n", f->hash.hi,
                   f->hash.lo, f->bytes, f->mtime_ns, STR_ARG(f->path));
    }
    struct hash128 all = hash128(out.p, out.n);
    buf_printf(&out, "end %016" PRIx64 "%016" PRIx64 "\n", all.hi, all.lo);
    int rc = out.full ? err_set(e, ERR_LIMIT, "%s: too many files for one backup", path)
                      : file_replace(path, buf_view(&out), e);
    buf_release(&out);
    return rc;
}
