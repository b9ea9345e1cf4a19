/* SPDX-License-Identifier: Apache-2.0 */
/* What is read of a made tree. */
#include "assert-error.h"
#include "host-effects.h"
#include "open-files.h"
#include "scratch.h"

#include <errno.h>
#include <string.h>

#define TIMEOUT_MS 30000

static LvpScratch *scratch;
static LvpHost *host;

static LvpHost *
open_host(void)
{
    g_autoptr(GError) error = NULL;
    LvpHost *opened = lvp_host_new(lvp_scratch_get_root(scratch), &error);
    assert_no_error(error);
    return opened;
}

static void
set_up(void)
{
    scratch = lvp_scratch_new();
    lvp_scratch_make_folder(scratch, "sys");
    lvp_scratch_make_folder(scratch, "proc");
    lvp_scratch_make_folder(scratch, "dev");
    host = open_host();
}

static void
tear_down(void)
{
    lvp_host_free(host);
    lvp_scratch_free(scratch);
}

TestSuite(host, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- the root ---- */

Test(host, relative_root_is_refused)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_host_new("srv", &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
}

Test(host, root_without_sysfs_is_refused)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_remove(scratch, "sys");
    cr_assert_null(lvp_host_new(lvp_scratch_get_root(scratch), &error));
    assert_error(error, LVP_ERROR_INVALID_REQUEST);
    assert_contains(error->message, lvp_scratch_get_root(scratch));
    assert_contains(error->message, "--host-root");
}

Test(host, slashes_at_the_end_of_the_root_do_not_matter)
{
    g_autofree char *root = g_strconcat(lvp_scratch_get_root(scratch), "//", NULL);
    g_autoptr(LvpHost) same = lvp_host_new(root, NULL);
    lvp_scratch_write(scratch, "sys/a", "1\n");
    cr_assert(lvp_host_exists(same, LVP_HOST_SYS, "a"));
}

Test(host, root_of_this_machine_is_named_without_a_second_slash)
{
    g_autoptr(LvpHost) real = lvp_host_new("/", NULL);
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_host_read_text(real, LVP_HOST_PROC, "nonexistent", &error));
    assert_contains(error->message, " /proc/nonexistent:");
}

Test(host, freed_host_leaves_open_what_was_open_before)
{
    guint before = lvp_count_open_files();
    lvp_host_free(open_host());
    cr_assert_eq(lvp_count_open_files(), before);
}

Test(host, missing_tree_is_as_if_nothing_was_in_it)
{
    lvp_scratch_remove(scratch, "proc");
    g_autoptr(LvpHost) small = open_host();
    g_autoptr(GError) error = NULL;
    char value[LVP_HOST_VALUE_SIZE];
    cr_assert_not(lvp_host_exists(small, LVP_HOST_PROC, "swaps"));
    cr_assert_eq(lvp_host_read_value(small, LVP_HOST_PROC, "swaps", value, sizeof value), -ENOENT);
    cr_assert_null(lvp_host_read_text(small, LVP_HOST_PROC, "swaps", &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
}

/* ---- reads ---- */

Test(host, value_comes_without_its_line_end)
{
    char value[LVP_HOST_VALUE_SIZE];
    lvp_scratch_write(scratch, "sys/vendor", "0x10de\n");
    cr_assert_eq(lvp_host_read_value(host, LVP_HOST_SYS, "vendor", value, sizeof value), 6);
    cr_assert_str_eq(value, "0x10de");
}

Test(host, empty_value_is_empty)
{
    char value[LVP_HOST_VALUE_SIZE] = "before";
    lvp_scratch_write(scratch, "sys/empty", "");
    cr_assert_eq(lvp_host_read_value(host, LVP_HOST_SYS, "empty", value, sizeof value), 0);
    cr_assert_str_eq(value, "");
}

Test(host, value_longer_than_the_buffer_is_cut_and_ended)
{
    char value[5] = "xxxx";
    lvp_scratch_write(scratch, "sys/long", "123456789\n");
    cr_assert_eq(lvp_host_read_value(host, LVP_HOST_SYS, "long", value, sizeof value), 4);
    cr_assert_str_eq(value, "1234");
}

Test(host, value_that_is_not_there_is_an_errno)
{
    char value[LVP_HOST_VALUE_SIZE];
    lvp_scratch_make_folder(scratch, "sys/folder");
    cr_assert_eq(lvp_host_read_value(host, LVP_HOST_SYS, "none", value, sizeof value), -ENOENT);
    cr_assert_eq(lvp_host_read_value(host, LVP_HOST_SYS, "folder", value, sizeof value), -EISDIR);
}

Test(host, text_is_read_whole)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *written = g_strnfill(100000, 'x');
    lvp_scratch_write(scratch, "proc/meminfo", written);
    g_autofree char *text = lvp_host_read_text(host, LVP_HOST_PROC, "meminfo", &error);
    assert_no_error(error);
    cr_assert_str_eq(text, written);
}

Test(host, one_character_is_a_text_and_a_name)
{
    char name[8];
    lvp_scratch_write(scratch, "proc/one", "1");
    lvp_scratch_link_text(scratch, "sys/one", "1");
    g_autofree char *text = lvp_host_read_text(host, LVP_HOST_PROC, "one", NULL);
    cr_assert_str_eq(text, "1");
    cr_assert(lvp_host_read_link_name(host, LVP_HOST_SYS, "one", name, sizeof name));
    cr_assert_str_eq(name, "1");
}

Test(host, text_that_does_not_exist_is_not_found)
{
    g_autoptr(GError) error = NULL;
    cr_assert_null(lvp_host_read_text(host, LVP_HOST_PROC, "none", &error));
    assert_error(error, LVP_ERROR_NOT_FOUND);
    assert_contains(error->message, "proc/none");
}

Test(host, endless_text_is_an_error)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_link_text(scratch, "proc/endless", "/dev/zero");
    cr_assert_null(lvp_host_read_text(host, LVP_HOST_PROC, "endless", &error));
    assert_error(error, LVP_ERROR_HOST);
}

Test(host, link_is_read_as_it_stands)
{
    char target[64];
    lvp_scratch_link_text(scratch, "sys/driver", "../../bus/pci/drivers/nvme");
    cr_assert_eq(lvp_host_read_link(host, LVP_HOST_SYS, "driver", target, sizeof target), 26);
    cr_assert_str_eq(target, "../../bus/pci/drivers/nvme");
}

Test(host, link_that_does_not_fit_is_an_errno)
{
    char target[4];
    lvp_scratch_link_text(scratch, "sys/three", "123");
    lvp_scratch_link_text(scratch, "sys/four", "1234");
    cr_assert_eq(lvp_host_read_link(host, LVP_HOST_SYS, "three", target, sizeof target), 3);
    cr_assert_eq(lvp_host_read_link(host, LVP_HOST_SYS, "four", target, sizeof target),
                 -ENAMETOOLONG);
}

Test(host, name_of_a_link_is_its_last_component)
{
    char name[64];
    lvp_scratch_link_text(scratch, "sys/driver", "../../bus/pci/drivers/nvme");
    lvp_scratch_link_text(scratch, "sys/plain", "nvme");
    cr_assert(lvp_host_read_link_name(host, LVP_HOST_SYS, "driver", name, sizeof name));
    cr_assert_str_eq(name, "nvme");
    cr_assert(lvp_host_read_link_name(host, LVP_HOST_SYS, "plain", name, sizeof name));
    cr_assert_str_eq(name, "nvme");
}

Test(host, name_that_cannot_be_read_leaves_an_empty_buffer)
{
    char name[4] = "xxx";
    lvp_scratch_link_text(scratch, "sys/driver", "../drivers/nvme");
    cr_assert_not(lvp_host_read_link_name(host, LVP_HOST_SYS, "none", name, sizeof name));
    cr_assert_str_eq(name, "");
    cr_assert_not(lvp_host_read_link_name(host, LVP_HOST_SYS, "driver", name, sizeof name));
    cr_assert_str_eq(name, "");
}

Test(host, list_is_sorted_and_without_dots)
{
    g_autoptr(GError) error = NULL;
    lvp_scratch_write(scratch, "sys/l/b", "");
    lvp_scratch_write(scratch, "sys/l/.hidden", "");
    lvp_scratch_make_folder(scratch, "sys/l/a");
    g_auto(GStrv) names = lvp_host_list(host, LVP_HOST_SYS, "l", &error);
    assert_no_error(error);
    g_autofree char *joined = g_strjoinv(" ", names);
    cr_assert_str_eq(joined, ".hidden a b");
}

Test(host, list_of_what_is_no_folder_is_an_error)
{
    g_autoptr(GError) missing = NULL, file = NULL;
    lvp_scratch_write(scratch, "sys/file", "");
    cr_assert_null(lvp_host_list(host, LVP_HOST_SYS, "none", &missing));
    assert_error(missing, LVP_ERROR_NOT_FOUND);
    cr_assert_null(lvp_host_list(host, LVP_HOST_SYS, "file", &file));
    assert_error(file, LVP_ERROR_HOST);
}

Test(host, link_to_nowhere_exists)
{
    lvp_scratch_link_text(scratch, "sys/dangling", "nowhere");
    cr_assert(lvp_host_exists(host, LVP_HOST_SYS, "dangling"));
    cr_assert_not(lvp_host_exists(host, LVP_HOST_SYS, "nowhere"));
}

Test(host, boot_id_is_read_and_empty_where_there_is_none)
{
    g_autofree char *none = lvp_host_read_boot_id(host);
    cr_assert_str_eq(none, "");
    lvp_scratch_write(scratch, "proc/sys/kernel/random/boot_id", "b007\n");
    g_autofree char *boot_id = lvp_host_read_boot_id(host);
    cr_assert_str_eq(boot_id, "b007");
}

Test(host, reads_leave_no_file_open)
{
    char value[LVP_HOST_VALUE_SIZE];
    lvp_scratch_write(scratch, "sys/a", "1\n");
    guint before = lvp_count_open_files();
    for (guint i = 0; i < 10; i++) {
        lvp_host_read_value(host, LVP_HOST_SYS, "a", value, sizeof value);
        g_free(lvp_host_read_text(host, LVP_HOST_SYS, "a", NULL));
        g_strfreev(lvp_host_list(host, LVP_HOST_SYS, ".", NULL));
        g_strfreev(lvp_host_list(host, LVP_HOST_SYS, "a", NULL));
    }
    cr_assert_eq(lvp_count_open_files(), before);
}

/* ---- what else is asked of a host ---- */

Test(host, module_cannot_be_loaded_below_another_root)
{
    g_autoptr(GError) error = NULL;
    cr_assert_not(lvp_host_load_module(host, "vfio-pci", TIMEOUT_MS, &error));
    assert_error(error, LVP_ERROR_NOT_SUPPORTED);
}

Test(host, block_device_that_is_not_there_is_not_busy)
{
    g_autoptr(GError) error = NULL;
    gboolean busy = TRUE;
    cr_assert(lvp_host_probe_block_device(host, "nvme0n1", TIMEOUT_MS, &busy, &error));
    cr_assert_not(busy);
}

Test(host, block_device_that_cannot_be_opened_is_an_error_and_not_free)
{
    g_autoptr(GError) error = NULL;
    gboolean busy = TRUE;
    lvp_scratch_link_text(scratch, "dev/loop", "loop");
    cr_assert_not(lvp_host_probe_block_device(host, "loop", TIMEOUT_MS, &busy, &error));
    assert_error(error, LVP_ERROR_HOST);
    cr_assert(busy);
}

Test(host, opener_of_a_device_is_found_by_its_open_files)
{
    lvp_scratch_link_text(scratch, "proc/811/fd/7", "/dev/vfio/1");
    lvp_scratch_link_text(scratch, "proc/9/fd/3", "/dev/vfio/9");
    lvp_scratch_link_text(scratch, "proc/812/fd/3", "socket:[1234]");
    lvp_scratch_link_text(scratch, "proc/812/fd/41", "/dev/vfio/15");
    lvp_scratch_write(scratch, "proc/812/comm", "qemu-system-x86\n");
    g_autofree char *opener = lvp_host_find_opener(host, "vfio/15");
    cr_assert_str_eq(opener, "pid 812 (qemu-system-x86)");
    g_autofree char *nameless = lvp_host_find_opener(host, "vfio/9");
    cr_assert_str_eq(nameless, "pid 9 (?)");
    cr_assert_null(lvp_host_find_opener(host, "vfio/5"));
}

Test(host, opener_that_is_no_process_is_passed_over)
{
    lvp_scratch_link_text(scratch, "proc/self/fd/7", "/dev/vfio/15");
    lvp_scratch_make_folder(scratch, "proc/813");
    cr_assert_null(lvp_host_find_opener(host, "vfio/15"));
}

Test(host, openers_of_several_devices_are_found_in_one_walk)
{
    static const char *const PATHS[] = {"dri/card0", "dri/card1", "dri/renderD128", NULL};
    lvp_scratch_link_text(scratch, "proc/811/fd/7", "/dev/dri/card1");
    lvp_scratch_link_text(scratch, "proc/811/fd/8", "/dev/dri/card0");
    lvp_scratch_link_text(scratch, "proc/811/fd/9", "/srv/dri/renderD128");
    lvp_scratch_link_text(scratch, "proc/812/fd/3", "/dev/dri/card1");
    lvp_scratch_link_text(scratch, "proc/812/fd/4", "/dev/dri/card");
    lvp_scratch_write(scratch, "proc/811/comm", "Xorg\n");
    g_autoptr(GHashTable) openers = lvp_host_find_openers(host, PATHS);
    cr_assert_eq(g_hash_table_size(openers), 2);
    cr_assert_str_eq(g_hash_table_lookup(openers, "dri/card0"), "pid 811 (Xorg)");
    cr_assert_str_eq(g_hash_table_lookup(openers, "dri/card1"), "pid 811 (Xorg)");
}

Test(host, nobody_has_none_of_no_devices_open)
{
    static const char *const NONE[] = {NULL};
    lvp_scratch_link_text(scratch, "proc/811/fd/7", "/dev/dri/card1");
    g_autoptr(GHashTable) openers = lvp_host_find_openers(host, NONE);
    cr_assert_eq(g_hash_table_size(openers), 0);
}

Test(host, interface_below_another_root_has_no_address)
{
    cr_assert_null(lvp_host_find_interface_address(host, "lo"));
}

Test(host, free_accepts_null) { lvp_host_free(NULL); }
