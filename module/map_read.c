// SPDX-License-Identifier: GPL-2.0-only
// Copyright (C) 2026 the abuse authors
/*
 * READs whose bytes the page cache of a file has, copied from there in the submitter's own
 * context: with the checks that the kernel's own buffered read makes, but no call into the
 * file system, no lock and no sleep. Anything unusual is left to a worker.
 */
#include <linux/bio.h>
#include <linux/highmem.h>
#include <linux/magic.h>
#include <linux/pagemap.h>
#include <linux/swap.h>

#include "abuse.h"

/*
 * Whether pages in the cache of that file are valid as they are: not those of network, cluster
 * and stacked file systems, which ask somebody first.
 */
bool abuse_file_has_own_pages(const struct file *file)
{
	const struct inode *inode = file_inode(file);

	if (S_ISBLK(inode->i_mode))
		return true;
	if (!S_ISREG(inode->i_mode) || file->f_mapping->host != inode)
		return false;
	switch (inode->i_sb->s_magic) {
	case EXT4_SUPER_MAGIC:
	case XFS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

/* Read-ahead has its mark there: the kernel's own read begins the next one. */
static bool abuse_folio_asks_for_more(struct folio *folio)
{
	return folio_test_readahead(folio) && !folio_test_writeback(folio);
}

static bool abuse_folio_is_poisoned(struct folio *folio)
{
	/* The second flag is one of a second page, which a folio of one page has not. */
	return folio_test_hwpoison(folio) ||
	       (folio_test_large(folio) && folio_test_has_hwpoisoned(folio));
}

/* A whole page is copied by what the architecture has for that. */
static void abuse_copy_bytes(void *to, const void *from, size_t len)
{
	if (likely(len == PAGE_SIZE && PAGE_ALIGNED(to) && PAGE_ALIGNED(from)))
		copy_page(to, (void *)from);
	else
		memcpy(to, from, len);
}

/* From one folio; how many bytes at most one mapping shows. 0: it is not to be used. */
static size_t abuse_folio_read(struct folio *folio,
			       struct address_space *mapping, loff_t pos,
			       void *to, size_t len)
{
	size_t offset = offset_in_folio(folio, pos);
	void *from;

	/* The bytes are read after the flag, and the mapping after the bytes. */
	if (!folio_test_uptodate(folio) || abuse_folio_asks_for_more(folio) ||
	    abuse_folio_is_poisoned(folio))
		return 0;
	len = min_t(size_t, len, abuse_folio_reach(folio, offset));
	abuse_folio_flush_dcache(folio);
	from = kmap_local_folio(folio, offset);
	abuse_copy_bytes(to, from, len);
	kunmap_local(from);
	smp_rmb();
	if (abuse_folio_mapping(folio) != mapping)
		return 0;
	folio_mark_accessed(folio);
	return len;
}

static bool abuse_cache_read(struct address_space *mapping, loff_t pos, void *to,
			     size_t len)
{
	struct folio *folio;
	size_t n;

	while (len) {
		folio = filemap_get_folio(mapping, pos >> PAGE_SHIFT);
		if (IS_ERR_OR_NULL(folio))
			return false;
		n = abuse_folio_read(folio, mapping, pos, to, len);
		folio_put(folio);
		if (!n)
			return false;
		pos += n;
		to += n;
		len -= n;
	}
	return true;
}

static bool abuse_cache_fill(const struct bio_vec *bv,
			     struct address_space *mapping, loff_t pos)
{
	void *to = kmap_local_page(bv->bv_page) + bv->bv_offset;
	bool is_there = abuse_cache_read(mapping, pos, to, bv->bv_len);

	kunmap_local(to);
	flush_dcache_page(bv->bv_page);
	return is_there;
}

/*
 * Fills a READ from the page cache of its place. False: some of it is not there, or may be
 * had from the file alone; then none of what was filled in counts.
 */
bool abuse_map_read(struct request *rq, const struct abuse_place *place)
{
	struct file *file = place->target->file;
	struct address_space *mapping = file->f_mapping;
	struct req_iterator iter;
	loff_t pos = place->pos;
	struct bio_vec bv;

	if (!place->target->has_own_pages || (file->f_flags & O_DIRECT) ||
	    abuse_file_may_be_watched(file))
		return false;
	abuse_rq_for_each_piece(bv, rq, iter) {
		if (!abuse_cache_fill(&bv, mapping, pos))
			return false;
		pos += bv.bv_len;
	}
	/* The file may have been made shorter: the size counts, read after the bytes. */
	smp_rmb();
	return pos <= i_size_read(mapping->host);
}
