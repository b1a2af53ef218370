#include "net/http_gzip.h"

#include <libdeflate.h>
#include <pthread.h>

#include "base/check.h"

#define LEVEL   1
#define LARGEST (256u << 20) /* beyond this an answer goes out plain rather than hold two copies */

/* One compressor a thread, freed with it: making one costs more than compressing a small answer. */
static pthread_key_t compressor_key;
static pthread_once_t compressor_once = PTHREAD_ONCE_INIT;

static void compressor_drop(void *c)
{
    libdeflate_free_compressor(c);
}

static void compressor_key_make(void)
{
    check(pthread_key_create(&compressor_key, compressor_drop) == 0);
}

static struct libdeflate_compressor *compressor(void)
{
    pthread_once(&compressor_once, compressor_key_make);
    struct libdeflate_compressor *c = pthread_getspecific(compressor_key);
    if (c != NULL) return c;
    c = libdeflate_alloc_compressor(LEVEL);
    check(c != NULL);
    pthread_setspecific(compressor_key, c);
    return c;
}

/* ";q=0", ";q=0.000": the client says no. */
static bool refused(struct str parameters)
{
    while (parameters.n > 0) {
        struct str value, one = str_trim(str_cut(parameters, ';', &parameters));
        struct str name = str_trim(str_cut(one, '=', &value));
        if (!str_is_nocase(name, "q")) continue;
        value = str_trim(value);
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] >= '1' && value.p[i] <= '9') return false;
        return true;
    }
    return false;
}

bool http_gzip_accepted(struct str accept)
{
    bool any = false;
    while (accept.n > 0) {
        struct str parameters, one = str_cut(accept, ',', &accept);
        struct str name = str_trim(str_cut(one, ';', &parameters));
        if (str_is_nocase(name, "gzip") || str_is_nocase(name, "x-gzip")) return !refused(parameters);
        if (str_is(name, "*")) any = !refused(parameters);
    }
    return any;
}

bool http_gzip_type(const char *content_type)
{
    static const char *const types[] = { "application/json", "application/openmetrics-text",
                                         "application/javascript", "image/svg+xml" };
    struct str parameters, type = str_trim(str_cut(str_of(content_type), ';', &parameters));
    if (str_starts(type, "text/")) return true;
    for (size_t i = 0; i < COUNT(types); i++)
        if (str_is_nocase(type, types[i])) return true;
    return false;
}

bool http_gzip(struct str in, struct buf *out)
{
    if (in.n > LARGEST) return false;
    struct libdeflate_compressor *c = compressor();
    out->max = in.n;
    char *to = buf_room(out, in.n - 1); /* no room to grow: then it is not worth it */
    size_t n = to ? libdeflate_gzip_compress(c, in.p, in.n, to, in.n - 1) : 0;
    if (n == 0) {
        buf_release(out);
        return false;
    }
    buf_added(out, n);
    return true;
}
