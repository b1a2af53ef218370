#include "server/cli.h"

#include <stdio.h>
#include <string.h>

static void take_out(int *argc, char **argv, int at, int n)
{
    for (int i = at; i + n < *argc; i++) argv[i] = argv[i + n];
    *argc -= n;
}

const char *cli_flag(int *argc, char **argv, const char *name)
{
    size_t len = strlen(name);
    for (int i = 0; i < *argc; i++) {
        if (strncmp(argv[i], name, len) != 0) continue;
        const char *value = NULL;
        if (argv[i][len] == '=') {
            value = argv[i] + len + 1;
            take_out(argc, argv, i, 1);
        } else if (argv[i][len] == 0 && i + 1 < *argc) {
            value = argv[i + 1];
            take_out(argc, argv, i, 2);
        } else {
            continue;
        }
        return value;
    }
    return NULL;
}

int cli_switch(int *argc, char **argv, const char *name)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            take_out(argc, argv, i, 1);
            return 1;
        }
    }
    return 0;
}

int cli_no_more_flags(int argc, char **argv, const char *usage)
{
    for (int i = 0; i < argc; i++) {
        if (argv[i][0] == '-' && argv[i][1] == '-') {
            fprintf(stderr, "unknown flag %s\nusage: %s\n", argv[i], usage);
            return 2;
        }
    }
    return 0;
}
