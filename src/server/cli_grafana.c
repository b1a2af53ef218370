/* cli_grafana.c - `vedette export grafana DIR`: what a Grafana needs to show what Vedette knows.
 *
 *     DIR/dashboards/NAME.json                    the built-in dashboards
 *     DIR/provisioning/datasources/vedette.yml    Vedette as its sources
 *     DIR/provisioning/dashboards/vedette.yml     where the dashboards are
 *
 * No server is asked; files that are there are replaced. Exit status: 0 done, 1 it went wrong, 2 wrong usage.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "server/cli.h"
#include "tell/dashboards.h"

#define FILE_MAX (1u << 20)

static const char usage[] = "vedette export grafana [--url URL] DIR      URL: where Grafana finds Vedette";

/* text with each of `from` exchanged for `to`. */
static void fill_in(struct buf *out, struct str text, const char *from, const char *to)
{
    size_t n = strlen(from);
    for (size_t i = 0; i < text.n;) {
        if (text.n - i >= n && memcmp(text.p + i, from, n) == 0) {
            buf_cs(out, to);
            i += n;
        } else {
            buf_char(out, text.p[i++]);
        }
    }
}

static int write_file(const char *dir, const char *name, struct str text, struct err *e)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    int rc = file_mkdirs(path, e);
    *slash = '/';
    return rc < 0 ? rc : file_replace(path, text, e);
}

static int write_dashboards(const char *dir, struct err *e)
{
    int rc = OK;
    for (size_t i = 0; rc == OK && i < dashboard_files_count; i++) {
        const struct dashboard_file *f = &dashboard_files[i];
        char name[128];
        snprintf(name, sizeof name, "dashboards/%s.json", f->name);
        rc = write_file(dir, name, str_make(f->begin, (size_t)(f->end - f->begin)), e);
    }
    return rc;
}

static int write_provisioning(const char *dir, const char *url, struct err *e)
{
    char *whole = realpath(dir, NULL), folder[4200];
    snprintf(folder, sizeof folder, "%s/dashboards", whole != NULL ? whole : dir);
    free(whole);
    int rc = OK;
    for (size_t i = 0; rc == OK && i < provisioning_files_count; i++) {
        const struct dashboard_file *f = &provisioning_files[i];
        struct buf addressed = BUF_INIT(FILE_MAX), text = BUF_INIT(FILE_MAX);
        fill_in(&addressed, str_make(f->begin, (size_t)(f->end - f->begin)), CLI_SERVER_DEFAULT, url);
        fill_in(&text, buf_view(&addressed), "/var/lib/grafana/dashboards/vedette", folder);
        rc = write_file(dir, f->name, buf_view(&text), e);
        buf_release(&addressed);
        buf_release(&text);
    }
    return rc;
}

int cli_export_grafana(int argc, char **argv)
{
    struct err e = ERR_INIT;
    if (cli_switch(&argc, argv, "--help")) return printf("usage: %s\n", usage), 0;
    const char *url = cli_flag(&argc, argv, "--url");
    if (cli_no_more_flags(argc, argv, usage) != 0) return 2;
    if (argc != 1 || argv[0][0] == 0 || strlen(argv[0]) > 3000) {
        fprintf(stderr, "usage: %s\n", usage);
        return 2;
    }
    int rc = write_dashboards(argv[0], &e);
    if (rc == OK) rc = write_provisioning(argv[0], url != NULL ? url : CLI_SERVER_DEFAULT, &e);
    if (rc < 0) return fprintf(stderr, "export grafana: %s\n", e.text), 1;
    printf("%zu dashboards and %zu provisioning files are in %s\n", dashboard_files_count,
           provisioning_files_count, argv[0]);
    return 0;
}
