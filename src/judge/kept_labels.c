/* kept_labels.c - see kept_labels.h. */
#include "judge/kept_labels.h"

#include "base/mem.h"

static struct str put(char **to, struct str s)
{
    struct str kept = { *to, s.n };
    if (s.n > 0) memcpy(*to, s.p, s.n);
    *to += s.n;
    return kept;
}

struct labels kept_labels(struct labels l)
{
    size_t bytes = l.n * sizeof *l.at;
    if (l.n == 0) return (struct labels){ 0 };
    for (size_t i = 0; i < l.n; i++) bytes += l.at[i].name.n + l.at[i].value.n;
    struct label *at = mem_alloc(bytes);
    char *texts = (char *)(at + l.n);
    for (size_t i = 0; i < l.n; i++) {
        at[i].name = put(&texts, l.at[i].name);
        at[i].value = put(&texts, l.at[i].value);
    }
    return (struct labels){ at, l.n };
}

void kept_labels_free(struct labels l)
{
    mem_free((void *)(uintptr_t)l.at); /* the array was ours before it was const */
}
