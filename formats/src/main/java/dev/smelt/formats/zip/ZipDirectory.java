package dev.smelt.formats.zip;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Reads the central directory of a zip archive, with its 64-bit extension, and holds every local
 * header against it (PKWARE APPNOTE 6.3.10).
 *
 * <table>
 * <caption>End record, the last in the file; before it perhaps its 64-bit form and locator</caption>
 * <tr><th>offset</th><th>bytes</th><th>content</th></tr>
 * <tr><td>0</td><td>4</td><td>signature 0x06054b50</td></tr>
 * <tr><td>4, 6</td><td>2</td><td>number of this disk, of the directory's disk</td></tr>
 * <tr><td>8, 10</td><td>2</td><td>entries on this disk, in all</td></tr>
 * <tr><td>12</td><td>4</td><td>bytes of the directory</td></tr>
 * <tr><td>16</td><td>4</td><td>offset of the directory</td></tr>
 * <tr><td>20</td><td>2 + n</td><td>comment</td></tr>
 * </table>
 *
 * A field of all ones stands in the 64-bit form instead, or in the entry's extra field 1.
 */
final class ZipDirectory {

  /** A checkpoint has a file for each storage; this is a million of them. */
  private static final int MAX_ENTRIES = 1 << 20;

  private static final int MAX_COMMENT = 0xFFFF;

  private static final int END = 0x06054b50;
  private static final int END_BYTES = 22;
  private static final int END64 = 0x06064b50;
  private static final int END64_BYTES = 56;
  private static final int LOCATOR64 = 0x07064b50;
  private static final int LOCATOR64_BYTES = 20;
  private static final int CENTRAL = 0x02014b50;
  private static final int CENTRAL_BYTES = 46;
  private static final int LOCAL = 0x04034b50;
  private static final int LOCAL_BYTES = 30;

  private static final int ONES16 = 0xFFFF;
  private static final long ONES32 = 0xFFFF_FFFFL;
  private static final int EXTRA64 = 1;

  private static final int FLAG_ENCRYPTED = 1;

  /** Sizes of the local header are zero and follow the data. */
  private static final int FLAG_SIZES_LATER = 1 << 3;

  private final ZipBytes bytes;
  private final List<ZipEntry> entries = new ArrayList<>();

  private ZipDirectory(ZipBytes bytes) {
    this.bytes = bytes;
  }

  /**
   * All entries, in the order of the directory.
   *
   * @throws BadInputException a typed refusal naming file and offset
   */
  static List<ZipEntry> read(ZipBytes bytes) {
    return new ZipDirectory(bytes).read();
  }

  private List<ZipEntry> read() {
    long end = findEnd();
    if (bytes.u16(end + 4) != 0 || bytes.u16(end + 6) != 0) {
      throw new UnsupportedException(
          "zip archive of several disks", bytes.where() + "@" + end, "", "join its parts first");
    }
    long count = bytes.u16(end + 10);
    long size = bytes.u32(end + 12);
    long start = bytes.u32(end + 16);
    long limit = end;
    // PyTorch writes the 64-bit form always, also where nothing needs it.
    if (bytes.hasSignature(end - LOCATOR64_BYTES, LOCATOR64)) {
      limit = findEnd64(end);
      count = same(count, ONES16, bytes.u64(limit + 32), end);
      size = same(size, ONES32, bytes.u64(limit + 40), end);
      start = same(start, ONES32, bytes.u64(limit + 48), end);
    } else if (count == ONES16 || size == ONES32 || start == ONES32) {
      throw bytes.corrupt("64-bit zip archive without a locator", end, "");
    }
    if (count > MAX_ENTRIES) {
      throw new LimitException(
          "too many entries in a zip archive",
          bytes.where() + "@" + end,
          "at most " + MAX_ENTRIES + ", found " + count,
          "");
    }
    if (start > limit || size != limit - start) {
      throw bytes.corrupt(
          "zip directory does not end where its end record is",
          end,
          "expected offset " + limit + ", found " + start + " and " + size + " bytes");
    }
    long at = start;
    for (long i = 0; i < count; i++) {
      at = readEntry(at, start);
    }
    if (at != limit) {
      throw bytes.corrupt(
          "zip directory of another length", at, "expected its end at offset " + limit);
    }
    requireApart();
    return List.copyOf(entries);
  }

  /** From the last place it can be backwards, since a comment of any content may follow it. */
  private long findEnd() {
    long last = bytes.size() - END_BYTES;
    for (long at = last; at >= Math.max(0, last - MAX_COMMENT); at--) {
      if (bytes.hasSignature(at, END) && at + END_BYTES + bytes.u16(at + 20) == bytes.size()) {
        return at;
      }
    }
    throw new TruncatedException(
        "zip archive without its directory",
        bytes.where() + "@" + bytes.size(),
        "expected an end record in the last " + (END_BYTES + MAX_COMMENT) + " bytes",
        "copy or download the file again");
  }

  private long findEnd64(long end) {
    long locator = end - LOCATOR64_BYTES;
    long end64 = bytes.u64(locator + 8);
    if (end64 != locator - END64_BYTES || !bytes.hasSignature(end64, END64)) {
      throw bytes.corrupt(
          "64-bit zip archive without its end record", locator, "found offset " + end64);
    }
    return end64;
  }

  private long same(long narrow, long ones, long wide, long end) {
    if (narrow != ones && narrow != wide) {
      throw bytes.corrupt(
          "zip end records differ", end, "found " + narrow + ", in the 64-bit form " + wide);
    }
    return wide;
  }

  private long readEntry(long at, long directory) {
    if (!bytes.hasSignature(at, CENTRAL)) {
      throw bytes.corrupt("zip directory is damaged", at, "expected an entry");
    }
    int nameLength = bytes.u16(at + 28);
    int extraLength = bytes.u16(at + 30);
    int commentLength = bytes.u16(at + 32);
    long extra = at + CENTRAL_BYTES + nameLength;
    Extra64 wide = new Extra64(extra, extra + extraLength);
    // The order in which the extra field holds those that are needed.
    long size = wide.orElse(bytes.u32(at + 24));
    long packed = wide.orElse(bytes.u32(at + 20));
    long header = wide.orElse(bytes.u32(at + 42));
    String name = bytes.text(at + CENTRAL_BYTES, nameLength);
    int method = bytes.u16(at + 10);
    requireHeader(name, header, at);
    int flags = bytes.u16(header + 6);
    if (bytes.u16(header + 8) != method) {
      throw bytes.corrupt(
          "zip entry with two methods", header, "'" + name + "' differs from the directory");
    }
    if ((flags & FLAG_SIZES_LATER) == 0) {
      requireSizes(name, header, size, packed);
    }
    if (method == ZipEntry.STORED && packed != size) {
      throw bytes.corrupt(
          "stored zip entry of two sizes", at, "'" + name + "': " + packed + " and " + size);
    }
    long data = header + LOCAL_BYTES + bytes.u16(header + 26) + bytes.u16(header + 28);
    if (data > directory || packed > directory - data) {
      throw bytes.corrupt(
          "zip entry runs into the directory",
          header,
          "'" + name + "' needs " + packed + " bytes from offset " + data);
    }
    boolean encrypted = ((flags | bytes.u16(at + 8)) & FLAG_ENCRYPTED) != 0;
    entries.add(new ZipEntry(name, method, encrypted, packed, size, header, data));
    return extra + extraLength + commentLength;
  }

  private void requireHeader(String name, long header, long at) {
    if (!bytes.hasSignature(header, LOCAL)) {
      throw bytes.corrupt(
          "zip entry without a header", at, "'" + name + "' names offset " + header);
    }
    String local = bytes.text(header + LOCAL_BYTES, bytes.u16(header + 26));
    if (!local.equals(name)) {
      throw bytes.corrupt(
          "zip entry of two names", header, "'" + local + "', in the directory '" + name + "'");
    }
  }

  private void requireSizes(String name, long header, long size, long packed) {
    long extra = header + LOCAL_BYTES + bytes.u16(header + 26);
    Extra64 wide = new Extra64(extra, extra + bytes.u16(header + 28));
    long localSize = wide.orElse(bytes.u32(header + 22));
    long localPacked = wide.orElse(bytes.u32(header + 18));
    if (localSize != size || localPacked != packed) {
      throw bytes.corrupt(
          "zip entry of two sizes",
          header,
          "'" + name + "': expected " + size + " as in the directory, found " + localSize);
    }
  }

  /** Two entries over the same bytes could be read as two different things. */
  private void requireApart() {
    List<ZipEntry> sorted =
        entries.stream().sorted(Comparator.comparingLong(ZipEntry::header)).toList();
    for (int i = 1; i < sorted.size(); i++) {
      ZipEntry before = sorted.get(i - 1);
      if (sorted.get(i).header() < before.end()) {
        throw bytes.corrupt(
            "overlapping zip entries",
            sorted.get(i).header(),
            "'" + sorted.get(i).name() + "' begins inside '" + before.name() + "'");
      }
    }
  }

  /** The 64-bit values of an entry, taken in turn by the fields that are all ones. */
  private final class Extra64 {

    private long next;
    private long end;

    Extra64(long start, long end) {
      this.next = 0;
      this.end = 0;
      for (long at = start; at + 4 <= end; at += 4 + bytes.u16(at + 2)) {
        if (bytes.u16(at) == EXTRA64) {
          next = at + 4;
          this.end = Math.min(end, next + bytes.u16(at + 2));
          return;
        }
      }
    }

    long orElse(long narrow) {
      if (narrow != ONES32) {
        return narrow;
      }
      if (next + Long.BYTES > end) {
        throw bytes.corrupt("zip entry lacks its 64-bit size", next, "");
      }
      long value = bytes.u64(next);
      next += Long.BYTES;
      return value;
    }
  }
}
