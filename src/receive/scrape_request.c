/* scrape_request.c - see scrape_request.h. */
#include "receive/scrape_request.h"

#include "base/check.h"

static const struct {
    enum scrape_protocol protocol;
    const char *media;
} media[] = {
    /* native histograms come in protobuf only, which we do not read, so we do not ask for it */
    { SCRAPE_OM_100, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8" },
    { SCRAPE_OM_001, "application/openmetrics-text;version=0.0.1" },
    { SCRAPE_TEXT_100, "text/plain;version=1.0.0;escaping=allow-utf-8" },
    { SCRAPE_TEXT_004, "text/plain;version=0.0.4" },
};

const char *scrape_accept(const struct scrape_job *job, struct arena *a)
{
    struct str text = STR("Accept: ");
    int q = 2 + (int)job->n_protocols;
    for (size_t i = 0; i < job->n_protocols; i++)
        for (size_t k = 0; k < COUNT(media); k++)
            if (media[k].protocol == job->protocols[i])
                text = arena_printf(a, "%.*s%s;q=0.%d,", STR_ARG(text), media[k].media, q--);
    return arena_printf(a, "%.*s*/*;q=0.%d", STR_ARG(text), q).p;
}
