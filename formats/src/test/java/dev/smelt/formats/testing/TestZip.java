package dev.smelt.formats.testing;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.zip.CRC32;
import java.util.zip.Deflater;

/** Writes zip archives byte by byte, right or wrong, with data at multiples of 64 bytes. */
public final class TestZip {

  private static final int ALIGNMENT = 64;
  private static final long ONES = 0xFFFF_FFFFL;

  /**
   * @param name as in the directory
   */
  private record Entry(String name, int method, int flags, int packed, int size, int at) {}

  private final LittleEndian file = new LittleEndian();
  private final List<Entry> entries = new ArrayList<>();
  private boolean wide;
  private String comment = "";

  /** Writes sizes and offsets in their 64-bit form. */
  public TestZip wide() {
    wide = true;
    return this;
  }

  public TestZip comment(String text) {
    comment = text;
    return this;
  }

  public TestZip stored(String name, byte[] content) {
    return add(name, name, 0, 0, content, content);
  }

  public TestZip stored(String name, String content) {
    return stored(name, content.getBytes(StandardCharsets.UTF_8));
  }

  public TestZip deflated(String name, byte[] content) {
    Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
    deflater.setInput(content);
    deflater.finish();
    byte[] packed = new byte[content.length + 64];
    int length = deflater.deflate(packed);
    deflater.end();
    return add(name, name, 8, 0, Arrays.copyOf(packed, length), content);
  }

  /** An entry that says it needs a password. */
  public TestZip encrypted(String name, byte[] content) {
    return add(name, name, 0, 1, content, content);
  }

  /** An entry that the directory knows by another name. */
  public TestZip renamed(String name, String inDirectory, byte[] content) {
    return add(name, inDirectory, 0, 0, content, content);
  }

  /** A second entry of the directory for the data of the last one. */
  public TestZip again(String name) {
    Entry last = entries.getLast();
    entries.add(new Entry(name, 0, 0, last.packed, last.size, last.at));
    return this;
  }

  /** An entry of the directory for what the last entry holds, itself a header and this content. */
  public TestZip insideLast(String name, byte[] content) {
    int start = file.size() - entries.getLast().packed;
    entries.add(new Entry(name, 0, 0, content.length, content.length, start));
    return this;
  }

  private TestZip add(
      String name, String inDirectory, int method, int flags, byte[] packed, byte[] content) {
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    Entry entry = new Entry(inDirectory, method, flags, packed.length, content.length, file.size());
    byte[] wideExtra = wide ? extra(entry.size, packed.length) : new byte[0];
    int before = file.size() + 30 + utf8.length + wideExtra.length + 4;
    int padding = (ALIGNMENT - before % ALIGNMENT) % ALIGNMENT;
    file.u32(0x04034b50).u16(20, flags, method).u32(0, crc(content));
    file.u32(wide ? ONES : packed.length, wide ? ONES : content.length);
    file.u16(utf8.length, wideExtra.length + 4L + padding).bytes(utf8).bytes(wideExtra);
    // "FB", the field that PyTorch pads with.
    file.u16(0x4246, padding).bytes(new byte[padding]).bytes(packed);
    entries.add(entry);
    return this;
  }

  /** Field 1, with as many of size, packed size and offset as are given. */
  private static byte[] extra(long... values) {
    return new LittleEndian().u16(1, (long) values.length * Long.BYTES).u64(values).toArray();
  }

  public byte[] bytes() {
    LittleEndian whole = new LittleEndian().bytes(file.toArray());
    long start = whole.size();
    entries.forEach(entry -> putCentral(entry, whole));
    long size = whole.size() - start;
    long count = entries.size();
    if (wide) {
      long end64 = whole.size();
      whole.u32(0x06064b50).u64(44).u16(45, 45).u32(0, 0).u64(count, count, size, start);
      whole.u32(0x07064b50, 0).u64(end64).u32(1);
    }
    whole.u32(0x06054b50).u16(0, 0, wide ? -1 : count, wide ? -1 : count);
    whole.u32(wide ? ONES : size, wide ? ONES : start).u16(comment.length());
    return whole.bytes(comment.getBytes(StandardCharsets.US_ASCII)).toArray();
  }

  private void putCentral(Entry entry, LittleEndian out) {
    byte[] utf8 = entry.name.getBytes(StandardCharsets.UTF_8);
    byte[] extra = wide ? extra(entry.size, entry.packed, entry.at) : new byte[0];
    out.u32(0x02014b50).u16(20, 20, entry.flags, entry.method).u32(0, 0);
    out.u32(wide ? ONES : entry.packed, wide ? ONES : entry.size);
    out.u16(utf8.length, extra.length, 0, 0, 0).u32(0, wide ? ONES : entry.at);
    out.bytes(utf8).bytes(extra);
  }

  private static long crc(byte[] content) {
    CRC32 crc = new CRC32();
    crc.update(content);
    return crc.getValue();
  }
}
