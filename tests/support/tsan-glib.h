/* SPDX-License-Identifier: Apache-2.0 */
/* Stands before each file in a build with ThreadSanitizer, which sees nothing of a library that was
 * not built with it: GLib's locks, queues between threads and reference counts, all futexes and
 * atomics, would be no order, and each use of them a race; and what GLib does to its arrays and
 * tables, no access. So what this project calls of it goes through functions that say what they
 * mean; see tsan-glib.c. What libraries call is their affair.
 *
 * An order that is said here and does not exist would hide a race: none goes further than GLib
 * promises. */
#pragma once

#ifndef TSAN_GLIB_ITSELF

/* ---- what makes an order: also where a header of GLib calls it ---- */

#define g_mutex_init tsan_mutex_init
#define g_mutex_clear tsan_mutex_clear
#define g_mutex_lock tsan_mutex_lock
#define g_mutex_trylock tsan_mutex_trylock
#define g_mutex_unlock tsan_mutex_unlock
#define g_cond_wait tsan_cond_wait
#define g_cond_wait_until tsan_cond_wait_until
#define g_atomic_ref_count_dec tsan_atomic_ref_count_dec
#define g_idle_add tsan_idle_add
#define g_idle_add_full tsan_idle_add_full
#define g_thread_pool_new tsan_thread_pool_new
#define g_thread_pool_push tsan_thread_pool_push
#define g_thread_pool_free tsan_thread_pool_free

#include <glib.h>

/* ---- what is an access: to the head of the array, table or queue, where its length is ---- */

void __tsan_read16(void *address);
void __tsan_write16(void *address);

static inline gpointer
tsan_read(gconstpointer object)
{
    gpointer address = (gpointer)(gsize)object;
    __tsan_read16(address);
    return address;
}

static inline gpointer
tsan_write(gconstpointer object)
{
    gpointer address = (gpointer)(gsize)object;
    __tsan_write16(address);
    return address;
}

#define g_array_append_vals(array, ...) (g_array_append_vals)(tsan_write(array), __VA_ARGS__)
#define g_array_insert_vals(array, ...) (g_array_insert_vals)(tsan_write(array), __VA_ARGS__)
#define g_array_remove_index(array, ...) (g_array_remove_index)(tsan_write(array), __VA_ARGS__)
#define g_array_set_size(array, ...) (g_array_set_size)(tsan_write(array), __VA_ARGS__)
#define g_array_sort(array, ...) (g_array_sort)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_add(array, ...) (g_ptr_array_add)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_insert(array, ...) (g_ptr_array_insert)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_remove(array, ...) (g_ptr_array_remove)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_remove_index(array, ...)                                                       \
    (g_ptr_array_remove_index)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_set_size(array, ...) (g_ptr_array_set_size)(tsan_write(array), __VA_ARGS__)
#define g_ptr_array_sort(array, ...) (g_ptr_array_sort)(tsan_write(array), __VA_ARGS__)
#define g_queue_push_tail(queue, ...) (g_queue_push_tail)(tsan_write(queue), __VA_ARGS__)
#define g_queue_pop_head(queue) (g_queue_pop_head)(tsan_write(queue))
#define g_queue_is_empty(queue) (g_queue_is_empty)(tsan_read(queue))
#define g_hash_table_add(table, ...) (g_hash_table_add)(tsan_write(table), __VA_ARGS__)
#define g_hash_table_insert(table, ...) (g_hash_table_insert)(tsan_write(table), __VA_ARGS__)
#define g_hash_table_replace(table, ...) (g_hash_table_replace)(tsan_write(table), __VA_ARGS__)
#define g_hash_table_remove(table, ...) (g_hash_table_remove)(tsan_write(table), __VA_ARGS__)
#define g_hash_table_remove_all(table) (g_hash_table_remove_all)(tsan_write(table))
#define g_hash_table_contains(table, ...) (g_hash_table_contains)(tsan_read(table), __VA_ARGS__)
#define g_hash_table_lookup(table, ...) (g_hash_table_lookup)(tsan_read(table), __VA_ARGS__)
#define g_hash_table_size(table) (g_hash_table_size)(tsan_read(table))
#define g_hash_table_iter_init(iter, table) (g_hash_table_iter_init)(iter, tsan_read(table))

#endif
