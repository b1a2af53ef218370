#include "server/prices_glue.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "model/price.h"

#define PRICES_MAX_BYTES ((size_t)16 << 20)

static int find_path(struct yaml *file, const char *config, struct buf *path, struct err *e)
{
    struct str name = STR("");
    struct yaml *y = file != NULL ? yaml_get(file, "prices") : NULL;
    const char *slash = config != NULL ? strrchr(config, '/') : NULL;
    int rc = yaml_str(y, &name, e);
    if (rc < 0) return rc;
    if (name.n > 0 && name.p[0] != '/' && slash != NULL) buf_add(path, config, (size_t)(slash - config) + 1);
    buf_str(path, name);
    return OK;
}

/* *out NULL: none is named. */
static int load(struct yaml *file, const char *config, struct price_book **out, struct err *e)
{
    struct buf path = BUF_INIT(8192), text = BUF_INIT(PRICES_MAX_BYTES);
    *out = NULL;
    int rc = find_path(file, config, &path, e);
    if (rc == OK && path.n > 0 && (rc = file_slurp(buf_cstr(&path), &text, e)) == OK)
        rc = price_book_read(buf_view(&text), buf_cstr(&path), out, e);
    buf_release(&path);
    buf_release(&text);
    return rc;
}

int prices_glue_check(struct yaml *file, const char *config, struct err *e)
{
    struct price_book *book;
    int rc = load(file, config, &book, e);
    if (rc < 0)
        err_where(e, "%s: prices", config);
    else
        price_book_unref(book);
    return rc;
}

int prices_glue_apply(struct yaml *file, const char *config, struct err *e)
{
    struct price_book *book;
    int rc = load(file, config, &book, e);
    if (rc < 0) return rc;
    if (book != NULL) {
        char version[160];
        struct str v = price_book_version(book);
        snprintf(version, sizeof version, "%.*s", STR_ARG(v));
        log_info("server", "prices read", "version", version, NULL);
    }
    price_book_use(book != NULL ? book : price_book_builtin());
    return OK;
}
