/* sanitized.h: whether a sanitizer of memory or threads watches: then memory is not kept for reuse, so that
 * it sees who uses what was given back. */
#ifndef CHASQUI_BASE_SANITIZED_H
#define CHASQUI_BASE_SANITIZED_H

#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#endif
