/* page.c - see page.h. The build makes web_assets.h; every file is there gzipped once and sent as it is. */
#include "tell/page.h"

#include <libdeflate.h>

#include "base/check.h"
#include "base/mem.h"

struct web_asset {
    const char *name, *type;
    const unsigned char *gzip;
    size_t n;
};

#include "web_assets.h"

static const struct web_asset *asset_find(struct str name)
{
    for (size_t i = 0; i < COUNT(web_assets); i++)
        if (str_is(name, web_assets[i].name)) return &web_assets[i];
    return NULL;
}

/* For the rare client that takes no gzip. The last four bytes of a gzip file are its length. */
static void answer_inflated(struct http_exchange *x, const struct web_asset *a)
{
    const unsigned char *end = a->gzip + a->n - 4;
    size_t n = (size_t)end[0] | (size_t)end[1] << 8 | (size_t)end[2] << 16 | (size_t)end[3] << 24;
    struct buf plain = BUF_INIT(n);
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    check(d != NULL &&
          libdeflate_gzip_decompress(d, a->gzip, a->n, buf_room(&plain, n), n, NULL) == LIBDEFLATE_SUCCESS);
    buf_added(&plain, n);
    libdeflate_free_decompressor(d);
    http_answer_buf(x, 200, a->type, &plain);
}

static void answer_asset(struct http_exchange *x, const struct web_asset *a)
{
    struct str accepted = http_header(x, "Accept-Encoding");
    http_answer_header(x, "Vary", STR("Accept-Encoding"));
    if (accepted.n == 0 || memmem(accepted.p, accepted.n, "gzip", 4) == NULL) {
        answer_inflated(x, a);
        return;
    }
    http_answer_header(x, "Content-Encoding", STR("gzip"));
    http_answer_static(x, 200, a->type, str_make(a->gzip, a->n));
}

/* Every page is the same document; the script looks at the address. Its name carries no hash, so it is always
 * asked for. */
static void page(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    http_answer_header(x, "Cache-Control", STR("no-cache"));
    http_answer_header(x, "ETag", STR("\"" WEB_ASSETS_HASH "\""));
    if (str_is(http_header(x, "If-None-Match"), "\"" WEB_ASSETS_HASH "\"")) {
        http_answer_static(x, 304, "text/html; charset=utf-8", STR(""));
        return;
    }
    answer_asset(x, asset_find(STR("index.html")));
}

static void asset(struct http_exchange *x, void *ctx)
{
    (void)ctx;
    const struct web_asset *a = NULL;
    if (str_is(http_path_param(x, "hash"), WEB_ASSETS_HASH)) a = asset_find(http_path_param(x, "name"));
    if (a == NULL) {
        http_answer(x, 404, "text/plain; charset=utf-8",
                    STR("no such file; the page may be older than the server: reload it\n"));
        return;
    }
    http_answer_header(x, "Cache-Control", STR("public, max-age=31536000, immutable"));
    answer_asset(x, a);
}

const struct http_route page_routes[] = {
    { "GET", "/", page },
    { "GET", "/explore", page },
    { "GET", "/agents", page },
    { "GET", "/mcp", page },
    { "GET", "/kg", page },
    { "GET", "/system", page },
    { "GET", "/cost", page },
    { "GET", "/lb", page },
    { "GET", "/alerts", page },
    { "GET", "/compare", page },
    { "GET", "/dashboards", page },
    { "GET", "/dashboards/{name}", page },
    { "GET", "/logs", page },
    { "GET", "/traces", page },
    { "GET", "/traces/{id}", page },
    { "GET", "/assets/{hash}/{name*}", asset },
};
const size_t page_n_routes = COUNT(page_routes);
