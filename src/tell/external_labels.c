/* external_labels.c - see external_labels.h. */
#include "tell/external_labels.h"

struct labels external_labels_add(const struct prometheus_api *api, struct labels own, struct arena *a)
{
    const struct label *ext = api->external_labels;
    size_t n_ext = api->n_external_labels, i = 0, k = 0, n = 0;

    if (n_ext == 0) return own;
    struct label *out = arena_array(a, own.n + n_ext, sizeof *out);
    while (i < own.n || k < n_ext) { /* both are sorted by name */
        int c = i == own.n ? 1 : k == n_ext ? -1 : str_cmp(own.at[i].name, ext[k].name);
        out[n++] = c <= 0 ? own.at[i] : ext[k];
        i += c <= 0;
        k += c >= 0;
    }
    return (struct labels){ out, n };
}

bool external_labels_have(const struct prometheus_api *api, struct str name, struct str value)
{
    for (size_t i = 0; i < api->n_external_labels; i++)
        if (str_eq(api->external_labels[i].name, name)) return str_eq(api->external_labels[i].value, value);
    return false;
}
