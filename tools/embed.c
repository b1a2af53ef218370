/* embed.c - turns web/ and the three modules it uses into one C header of gzipped byte arrays.
 *
 * All files live under one content hash, /assets/HASH/..., so that they may be cached for ever and import
 * each other by relative paths without a rewrite. In index.html {{assets}} stands for that folder. Usage:
 * embed WEB_DIR > web_assets.h */
#include <dirent.h>
#include <libdeflate.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX 256

struct file {
    char name[256]; /* as served, below the assets folder */
    char *bytes;
    size_t n;
};

static struct file files[FILES_MAX];
static size_t n_files;

static const struct {
    const char *served, *installed;
} vendor[] = {
    { "vendor/uplot.mjs", "node_modules/uplot/dist/uPlot.esm.js" },
    { "vendor/uplot.css", "node_modules/uplot/dist/uPlot.min.css" },
    { "vendor/preact.mjs", "node_modules/htm/preact/standalone.module.js" },
};

static void die(const char *what, const char *which)
{
    fprintf(stderr, "embed: %s %s\n", what, which);
    exit(1);
}

static void take(const char *path, const char *served)
{
    FILE *f = fopen(path, "rb");
    if (f == NULL) die("cannot read", path);
    if (n_files == FILES_MAX) die("too many files at", path);
    struct file *to = &files[n_files++];
    snprintf(to->name, sizeof to->name, "%s", served);
    fseek(f, 0, SEEK_END);
    to->n = (size_t)ftell(f);
    rewind(f);
    to->bytes = malloc(to->n + 1);
    if (to->bytes == NULL || fread(to->bytes, 1, to->n, f) != to->n) die("cannot read", path);
    to->bytes[to->n] = 0;
    fclose(f);
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".mjs", "text/javascript; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".svg", "image/svg+xml" },
    };
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot != NULL && i < sizeof types / sizeof types[0]; i++)
        if (strcmp(dot, types[i][0]) == 0) return types[i][1];
    return NULL;
}

static void walk(const char *dir, const char *below)
{
    DIR *d = opendir(dir);
    if (d == NULL) die("cannot open", dir);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char path[1024], served[256];
        struct stat st;
        if (e->d_name[0] == '.' || strcmp(e->d_name, "node_modules") == 0) continue;
        snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
        if (snprintf(served, sizeof served, "%s%s", below, e->d_name) >= (int)sizeof served - 1)
            die("name too long", path);
        if (stat(path, &st) < 0) die("cannot stat", path);
        if (S_ISDIR(st.st_mode)) {
            strcat(served, "/");
            walk(path, served);
        } else if (type_of(e->d_name) != NULL) {
            take(path, served);
        }
    }
    closedir(d);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static uint64_t hash_all(void) /* FNV-1a: only has to change when a file does */
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n_files; i++) {
        for (const char *c = files[i].name; *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
        for (size_t k = 0; k < files[i].n; k++) h = (h ^ (unsigned char)files[i].bytes[k]) * 0x100000001b3u;
    }
    return h;
}

static void fill_in(struct file *f, const char *mark, const char *value)
{
    char *out = malloc(f->n * 2 + 4096), *to = out;
    for (const char *p = f->bytes; *p;) {
        if (strncmp(p, mark, strlen(mark)) == 0) {
            to += sprintf(to, "%s", value);
            p += strlen(mark);
        } else {
            *to++ = *p++;
        }
    }
    f->bytes = out;
    f->n = (size_t)(to - out);
    *to = 0;
}

static void print_array(size_t i, const struct file *f)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(12);
    size_t most = libdeflate_gzip_compress_bound(c, f->n);
    unsigned char *zip = malloc(most);
    size_t n = libdeflate_gzip_compress(c, f->bytes, f->n, zip, most);
    if (n == 0) die("cannot compress", f->name);
    printf("static const unsigned char web_asset_%zu[%zu] = {", i, n);
    for (size_t k = 0; k < n; k++) printf("%s%u,", k % 32 ? "" : "\n", zip[k]);
    printf("\n};\n");
    free(zip);
    libdeflate_free_compressor(c);
}

int main(int argc, char **argv)
{
    if (argc != 2) die("usage: embed", "WEB_DIR");
    char path[1024], hash[32], folder[64];
    walk(argv[1], "");
    for (size_t i = 0; i < sizeof vendor / sizeof vendor[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", argv[1], vendor[i].installed);
        take(path, vendor[i].served);
    }
    qsort(files, n_files, sizeof files[0], by_name);
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)hash_all());
    snprintf(folder, sizeof folder, "/assets/%s", hash);

    printf("/* Made by tools/embed.c from web/. */\n#define WEB_ASSETS_HASH \"%s\"\n", hash);
    for (size_t i = 0; i < n_files; i++) {
        if (strcmp(files[i].name, "index.html") == 0) fill_in(&files[i], "{{assets}}", folder);
        print_array(i, &files[i]);
    }
    printf("static const struct web_asset web_assets[] = {\n");
    for (size_t i = 0; i < n_files; i++)
        printf("    { \"%s\", \"%s\", web_asset_%zu, sizeof web_asset_%zu },\n", files[i].name,
               type_of(files[i].name), i, i);
    printf("};\n");
    return 0;
}
