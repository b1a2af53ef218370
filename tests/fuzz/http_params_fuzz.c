/* Query strings and forms, request paths against a router, Accept-Encoding: all that we read of HTTP by hand.
 */
#include <stdint.h>

#include "base/check.h"
#include "net/http_gzip.h"
#include "net/http_params.h"
#include "net/http_router.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void handle(struct http_exchange *x, void *ctx)
{
    (void)x, (void)ctx;
}

static const struct http_route routes[] = { { "GET", "/api/v1/query", handle },
                                            { "POST", "/api/v1/query", handle },
                                            { "GET", "/api/v1/label/{name}/values", handle },
                                            { "GET", "/assets/{rest*}", handle },
                                            { "*", "/{a}/{b}/{c}", handle },
                                            { "GET", "/", handle } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_router router;
    if (router.n == 0) {
        http_router_add(&router, routes, COUNT(routes), NULL);
        http_router_seal(&router);
    }
    struct arena arena = ARENA_INIT(64 << 20);
    struct str text = str_make(data, size);
    struct http_params params = { 0 };
    if (http_params_read(&params, text, &arena, NULL) == OK)
        for (size_t i = 0; i < params.n; i++) check(params.at[i].name.n + params.at[i].value.n <= size);

    struct http_match match;
    if (http_escapes_valid(text)) http_router_find(&router, STR("HEAD"), text, &arena, &match);
    http_gzip_accepted(text);
    arena_release(&arena);
    return 0;
}
