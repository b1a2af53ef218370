/* page.h - the web pages, compiled in: nothing is read from disk, so no path can lead anywhere else. */
#pragma once
#include "net/http_server.h"

extern const struct http_route page_routes[]; /* ctx: none */
extern const size_t page_n_routes;
