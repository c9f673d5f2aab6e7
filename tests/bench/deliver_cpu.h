/* deliver_cpu.h: what each thread of this process has used of a processor. */
#ifndef CHASQUI_BENCH_DELIVER_CPU_H
#define CHASQUI_BENCH_DELIVER_CPU_H

/* Microseconds on a processor, up to now, of all threads whose name begins so. */
double deliver_cpu_us(const char *name);

#endif
