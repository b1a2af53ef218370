/* runbooks.c - see runbooks.h. The build makes runbooks_pages.h of the files. */
#include "judge/runbooks.h"

#include "base/check.h"

static const struct page {
    const char *alert, *text;
} pages[] = {
#include "runbooks_pages.h"
};

struct str runbook_of(struct str alert)
{
    for (size_t i = 0; i < COUNT(pages); i++)
        if (str_is(alert, pages[i].alert)) return str_of(pages[i].text);
    return STR("");
}
