/* deliver_cpu.c: reads the kernel's account of each thread. */
#include "tests/bench/deliver_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

/* The first line of a thread's file; "" if it has ended. */
static void read_line(const char *thread, const char *file, char *out, int size)
{
    char path[320];
    snprintf(path, sizeof(path), "/proc/self/task/%s/%s", thread, file);
    FILE *from = fopen(path, "re");
    if (from == NULL || fgets(out, size, from) == NULL) {
        out[0] = '\0';
    }
    if (from != NULL) {
        fclose(from);
    }
}

double deliver_cpu_us(const char *name)
{
    DIR *threads = opendir("/proc/self/task");
    double sum = 0;
    const struct dirent *entry;
    for (entry = threads != NULL ? readdir(threads) : NULL; entry != NULL; entry = readdir(threads)) {
        char text[128];
        unsigned long long ns = 0;
        read_line(entry->d_name, "comm", text, sizeof(text));
        if (strncmp(text, name, strlen(name)) != 0) {
            continue;
        }
        read_line(entry->d_name, "schedstat", text, sizeof(text));
        if (sscanf(text, "%llu", &ns) == 1) {
            sum += (double)ns / 1000;
        }
    }
    if (threads != NULL) {
        closedir(threads);
    }
    return sum;
}
