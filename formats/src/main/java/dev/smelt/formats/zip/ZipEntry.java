package dev.smelt.formats.zip;

/**
 * One file of an archive.
 *
 * @param method 0 is stored, 8 is deflated
 * @param encrypted whether it needs a password
 * @param packedBytes as it lies in the archive
 * @param bytes unpacked
 * @param header offset of its local header
 * @param data offset of its first byte
 */
record ZipEntry(
    String name,
    int method,
    boolean encrypted,
    long packedBytes,
    long bytes,
    long header,
    long data) {

  static final int STORED = 0;
  static final int DEFLATED = 8;

  long end() {
    return data + packedBytes;
  }
}
