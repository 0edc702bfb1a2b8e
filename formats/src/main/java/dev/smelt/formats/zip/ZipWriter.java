package dev.smelt.formats.zip;

import dev.smelt.formats.StorageException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.zip.CRC32;

/**
 * Writes an archive as PyTorch does: entries stored, data at multiples of 64 bytes so that they can
 * be mapped, all sizes and offsets in their 64-bit form. Byte layouts as in {@link ZipDirectory}.
 */
public final class ZipWriter implements AutoCloseable {

  private static final int ALIGNMENT = 64;
  private static final long PART_BYTES = 1 << 26;
  private static final long ONES32 = 0xFFFF_FFFFL;
  private static final int ONES16 = 0xFFFF;

  /** Version 4.5 of the format knows 64-bit sizes. */
  private static final int VERSION = 45;

  private static final int EXTRA64 = 1;

  /** An extra field that only fills, by the name that PyTorch gives it: "FB". */
  private static final int EXTRA_FILL = 0x4246;

  private static final int LOCAL_BYTES = 30 + 4 + 2 * Long.BYTES + 4;

  private final Path path;
  private final FileChannel channel;
  private final Little directory = new Little();
  private long at;
  private long entries;

  /** Replaces the file. */
  public ZipWriter(Path path) {
    this.path = path;
    try {
      this.channel =
          FileChannel.open(
              path,
              StandardOpenOption.CREATE,
              StandardOpenOption.TRUNCATE_EXISTING,
              StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
  }

  public void add(String name, MemorySegment content) {
    byte[] utf8 = name.getBytes(StandardCharsets.UTF_8);
    long crc = crc(content);
    long size = content.byteSize();
    long header = at;
    long unpadded = header + LOCAL_BYTES + utf8.length;
    int fill = (int) ((ALIGNMENT - unpadded % ALIGNMENT) % ALIGNMENT);
    Little local = new Little().u32(0x04034b50).u16(VERSION, 0, 0, 0, 0).u32(crc, ONES32, ONES32);
    local.u16(utf8.length, 4 + 2 * Long.BYTES + 4 + fill).bytes(utf8);
    local.u16(EXTRA64, 2 * Long.BYTES).u64(size, size).u16(EXTRA_FILL, fill).bytes(new byte[fill]);
    write(MemorySegment.ofArray(local.toArray()));
    write(content);
    directory.u32(0x02014b50).u16(VERSION, VERSION, 0, 0, 0, 0).u32(crc, ONES32, ONES32);
    directory.u16(utf8.length, 4 + 3 * Long.BYTES, 0, 0, 0).u32(0, ONES32).bytes(utf8);
    directory.u16(EXTRA64, 3 * Long.BYTES).u64(size, size, header);
    entries++;
  }

  /** Writes the directory; without it, the file is no archive. */
  public void finish() {
    long start = at;
    write(MemorySegment.ofArray(directory.toArray()));
    long end64 = at;
    Little end = new Little().u32(0x06064b50).u64(44).u16(VERSION, VERSION).u32(0, 0);
    end.u64(entries, entries, end64 - start, start);
    end.u32(0x07064b50, 0).u64(end64).u32(1);
    end.u32(0x06054b50).u16(0, 0, ONES16, ONES16).u32(ONES32, ONES32).u16(0);
    write(MemorySegment.ofArray(end.toArray()));
  }

  private static long crc(MemorySegment content) {
    CRC32 crc = new CRC32();
    for (long part = 0; part < content.byteSize(); part += PART_BYTES) {
      crc.update(part(content, part));
    }
    return crc.getValue();
  }

  private void write(MemorySegment content) {
    try {
      for (long part = 0; part < content.byteSize(); part += PART_BYTES) {
        ByteBuffer buffer = part(content, part);
        while (buffer.hasRemaining()) {
          at += channel.write(buffer);
        }
      }
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
  }

  /** ByteBuffer views are limited to 2 GB. */
  private static ByteBuffer part(MemorySegment content, long from) {
    return content
        .asSlice(from, Math.min(PART_BYTES, content.byteSize() - from))
        .asReadOnly()
        .asByteBuffer();
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
  }

  /** Little-endian numbers in the making. */
  private static final class Little {

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    Little u16(long... values) {
      return put(Short.BYTES, values);
    }

    Little u32(long... values) {
      return put(Integer.BYTES, values);
    }

    Little u64(long... values) {
      return put(Long.BYTES, values);
    }

    private Little put(int width, long... values) {
      for (long value : values) {
        for (int i = 0; i < width; i++) {
          bytes.write((int) (value >>> (Byte.SIZE * i)));
        }
      }
      return this;
    }

    Little bytes(byte[] content) {
      bytes.writeBytes(content);
      return this;
    }

    byte[] toArray() {
      return bytes.toByteArray();
    }
  }
}
