package dev.smelt.formats.manifest;

import dev.smelt.formats.storage.Storage;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** SHA-256 in lower-case hex. */
public final class Hashing {

  /** ByteBuffer views are limited to 2 GB; smaller parts also keep the page cache warm. */
  private static final long PART_BYTES = 1 << 26;

  private Hashing() {}

  public static String sha256(Path file) {
    try (Arena arena = Arena.ofConfined()) {
      return sha256(Storage.local().map(file, arena));
    }
  }

  public static String sha256(MemorySegment bytes) {
    MessageDigest digest = digest();
    for (long at = 0; at < bytes.byteSize(); at += PART_BYTES) {
      long length = Math.min(PART_BYTES, bytes.byteSize() - at);
      digest.update(bytes.asSlice(at, length).asByteBuffer());
    }
    return hex(digest);
  }

  static MessageDigest digest() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  static String hex(MessageDigest digest) {
    return HexFormat.of().formatHex(digest.digest());
  }
}
