/* host_put.c - see host_put.h. */
#include "derive/host_put.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/check.h"
#include "base/file.h"
#include "base/float.h"

#define PROC_FILE_MAX      (4u << 20)
#define HOST_FAMILIES_BACK 24 /* more than the columns of any file of /proc */

/* Once a family: the readers put a family's series one after the other, or column by column per device; both
 * are seen. */
static void describe(const struct host_out *o, const char *name)
{
    const struct batch *b = o->batch;
    for (size_t i = b->n_metadata; i > 0 && i + HOST_FAMILIES_BACK > b->n_metadata; i--)
        if (str_is(b->metadata[i - 1].family, name)) return;
    bool counts = str_ends(str_of(name), "_total");
    struct str family = arena_str(b->arena, str_of(name));
    batch_metadata(o->batch, family, counts ? STR("counter") : STR("gauge"), str_of(o->help), STR(""));
}

void host_put(const struct host_out *o, const char *name, double value, const char *key, ...)
{
    struct label l[HOST_LABELS_MAX + 3] = {
        { STR(LABEL_NAME), str_of(name) },
        { STR("instance"), o->instance },
        { STR("job"), o->job },
    };
    size_t n = 3;
    va_list ap;
    va_start(ap, key);
    for (; key != NULL && n < COUNT(l); key = va_arg(ap, const char *)) {
        l[n++] = (struct label){ str_of(key), va_arg(ap, struct str) };
    }
    va_end(ap);
    if (isnan(value) || labels_normalise(l, &n, NULL) < 0)
        return; /* a mount point may be named in no known encoding */
    batch_series_labels(o->batch, (struct labels){ l, n });
    batch_sample(o->batch, o->time_ms, value);
    describe(o, name);
}

struct str host_file(const struct host_out *o, const char *path)
{
    char full[4096];
    struct buf bytes = BUF_INIT(PROC_FILE_MAX);
    snprintf(full, sizeof full, "%s%s", o->root, path);
    struct str text =
        file_slurp(full, &bytes, NULL) == OK ? arena_str(o->batch->arena, buf_view(&bytes)) : STR("");
    buf_release(&bytes);
    return text;
}

bool host_line(struct str *text, struct str *line)
{
    if (text->n == 0) return false;
    *line = str_cut(*text, '\n', text);
    return true;
}

bool host_word(struct str *line, struct str *word)
{
    *line = str_trim(*line);
    if (line->n == 0) return false;
    size_t n = 0;
    while (n < line->n && line->p[n] != ' ' && line->p[n] != '\t') n++;
    *word = str_make(line->p, n);
    *line = str_make(line->p + n, line->n - n);
    return true;
}

double host_number(struct str word)
{
    double v;
    return float_parse(word, &v) ? v : NAN;
}
