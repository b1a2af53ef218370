/* discover_file.c - files of targets: their times and sizes are looked at every second (cheap, and sure on
 * every file system, which inotify is not), their contents when those change, and at least every refresh
 * interval. */
#include <glob.h>
#include <sys/stat.h>

#include "base/check.h"
#include "base/file.h"
#include "receive/discover_impl.h"

#define LOOK_MS        1000
#define FILE_MAX_BYTES (64u << 20)

static void expand(const struct discover_conf *conf, glob_t *files)
{
    *files = (glob_t){ 0 };
    for (size_t i = 0; i < conf->n_names; i++) glob(conf->names[i], i > 0 ? GLOB_APPEND : 0, NULL, files);
}

static uint64_t state_of(const glob_t *files)
{
    uint64_t state = 1;
    for (size_t i = 0; i < files->gl_pathc; i++) {
        struct stat st;
        if (stat(files->gl_pathv[i], &st) != 0) continue;
        int64_t facts[] = { (int64_t)st.st_ino, st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec };
        state =
            state * 31 + hash64(facts, sizeof facts) + hash64(files->gl_pathv[i], strlen(files->gl_pathv[i]));
    }
    return state;
}

static int read_file(const char *path, struct discover_found *found, struct err *e)
{
    struct buf text = BUF_INIT(FILE_MAX_BYTES);
    struct label also = { STR("__meta_filepath"), str_of(path) };
    bool json = str_ends(str_of(path), ".json") || str_ends(str_of(path), ".JSON");
    int rc = file_slurp(path, &text, e);
    struct str kept = arena_str(&found->arena, buf_view(&text)); /* strings without escapes point into it */
    if (rc == OK && json)
        rc = discover_parse_json(kept, &also, found, e);
    else if (rc == OK)
        rc = discover_parse_yaml(kept, path, &also, found, e);
    buf_release(&text);
    return rc;
}

/* One bad file among good ones keeps what all of them said last: half a list would end series that are well.
 */
static void read_all(struct discover_source *s, const glob_t *files)
{
    struct discover_found *found = discover_found_new();
    struct err e = ERR_INIT;
    for (size_t i = 0; i < files->gl_pathc; i++) {
        if (read_file(files->gl_pathv[i], found, &e) == OK) continue;
        discover_found_free(found);
        return discover_bad(s, files->gl_pathv[i], e.text);
    }
    discover_good(s, found);
}

int64_t discover_file_tick(struct discover_source *s, int64_t now_ms)
{
    glob_t files;
    expand(s->conf, &files);
    uint64_t state = state_of(&files);
    if (state != s->file_state || now_ms - s->read_ms >= s->conf->refresh_ms) {
        s->file_state = state;
        s->read_ms = now_ms;
        read_all(s, &files);
    }
    globfree(&files);
    return now_ms + LOOK_MS;
}
