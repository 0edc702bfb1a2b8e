package dev.smelt.formats.zip;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.NotFoundException;
import dev.smelt.formats.UnsupportedException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/**
 * A mapped zip archive. Stored entries are given as the place where they lie, nothing is copied;
 * small deflated ones can be unpacked. Checksums are not looked at: that would read every byte, and
 * PyTorch may write others than zip's.
 */
public final class ZipArchive {

  /** The first bytes of an archive that has an entry, little-endian. */
  private static final int SIGNATURE = 0x04034b50;

  private final ZipBytes bytes;
  private final Map<String, ZipEntry> entries;

  private ZipArchive(ZipBytes bytes, Map<String, ZipEntry> entries) {
    this.bytes = bytes;
    this.entries = entries;
  }

  /** Whether the file begins as an archive does. */
  public static boolean isZip(MemorySegment file) {
    return new ZipBytes(file, "").hasSignature(0, SIGNATURE);
  }

  /**
   * @param file the whole file
   * @param where its path, for refusals
   * @throws BadInputException a typed refusal naming file and offset
   */
  public static ZipArchive open(MemorySegment file, String where) {
    ZipBytes bytes = new ZipBytes(file, where);
    Map<String, ZipEntry> entries = new LinkedHashMap<>();
    for (ZipEntry entry : ZipDirectory.read(bytes)) {
      if (entries.putIfAbsent(entry.name(), entry) != null) {
        throw bytes.corrupt(
            "two zip entries of one name", entry.header(), "'" + entry.name() + "'");
      }
    }
    return new ZipArchive(bytes, entries);
  }

  /** Names in the order of the directory. */
  public Set<String> names() {
    return Collections.unmodifiableSet(entries.keySet());
  }

  public boolean has(String name) {
    return entries.containsKey(name);
  }

  /** Names in the order in which the entries lie in the file. */
  public List<String> namesByOffset() {
    List<ZipEntry> sorted = new ArrayList<>(entries.values());
    sorted.sort(Comparator.comparingLong(ZipEntry::header));
    return sorted.stream().map(ZipEntry::name).toList();
  }

  public boolean isStored(String name) {
    return entry(name).method() == ZipEntry.STORED;
  }

  /** Offset of an entry's first byte in the file. */
  public long offset(String name) {
    return entry(name).data();
  }

  /**
   * A stored entry, where it lies.
   *
   * @throws UnsupportedException when it is deflated or encrypted
   */
  public MemorySegment stored(String name) {
    ZipEntry entry = entry(name);
    requireReadable(entry);
    if (entry.method() != ZipEntry.STORED) {
      throw new UnsupportedException(
          "zip entry is compressed",
          where(entry),
          "'" + name + "' expected as stored, found method " + entry.method(),
          "PyTorch stores entries; unpack the archive and zip it again without compression");
    }
    return bytes.file().asSlice(entry.data(), entry.bytes());
  }

  /**
   * A small entry as a whole, unpacked if it is deflated.
   *
   * @throws LimitException when it is larger than {@code limit} bytes
   */
  public byte[] read(String name, int limit) {
    ZipEntry entry = entry(name);
    requireReadable(entry);
    long bytesInAll = Math.max(entry.bytes(), entry.packedBytes());
    if (bytesInAll > limit) {
      throw new LimitException(
          "zip entry too large",
          where(entry),
          "'" + name + "' has " + bytesInAll + " bytes, at most " + limit,
          "");
    }
    MemorySegment packed = bytes.file().asSlice(entry.data(), entry.packedBytes());
    return switch (entry.method()) {
      case ZipEntry.STORED -> packed.toArray(ValueLayout.JAVA_BYTE);
      case ZipEntry.DEFLATED -> inflate(entry, packed);
      default ->
          throw new UnsupportedException(
              "zip entry packed in an unknown way",
              where(entry),
              "'" + name + "' has method " + entry.method(),
              "");
    };
  }

  private byte[] inflate(ZipEntry entry, MemorySegment packed) {
    byte[] unpacked = new byte[(int) entry.bytes()];
    Inflater inflater = new Inflater(true);
    try {
      inflater.setInput(packed.asByteBuffer());
      int length = 0;
      while (length < unpacked.length) {
        int more = inflater.inflate(unpacked, length, unpacked.length - length);
        if (more == 0) {
          break;
        }
        length += more;
      }
      if (length != unpacked.length || inflater.inflate(new byte[1]) != 0 || !inflater.finished()) {
        throw damaged(entry, "expected " + unpacked.length + " bytes");
      }
      return unpacked;
    } catch (DataFormatException e) {
      throw damaged(entry, String.valueOf(e.getMessage()));
    } finally {
      inflater.end();
    }
  }

  private CorruptException damaged(ZipEntry entry, String detail) {
    return bytes.corrupt(
        "deflated zip entry is damaged", entry.data(), "'" + entry.name() + "': " + detail);
  }

  private void requireReadable(ZipEntry entry) {
    if (entry.encrypted()) {
      throw new UnsupportedException(
          "zip entry is encrypted", where(entry), "'" + entry.name() + "'", "decrypt it first");
    }
  }

  private ZipEntry entry(String name) {
    @Nullable ZipEntry entry = entries.get(name);
    if (entry == null) {
      throw new NotFoundException(
          "zip archive lacks an entry", bytes.where(), "expected '" + name + "'", "");
    }
    return entry;
  }

  private String where(ZipEntry entry) {
    return bytes.where() + "@" + entry.data();
  }
}
