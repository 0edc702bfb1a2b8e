package dev.smelt.formats.safetensors;

import dev.smelt.formats.TensorInfo;
import java.util.List;
import java.util.Map;

/**
 * A validated header. Only {@link HeaderParser} makes one from a file and {@link HeaderLayout} one
 * for a file to be written, so whoever holds it need not check again: the entries are in offset
 * order and tile the data without hole or overlap.
 *
 * @param entries tensors by rising offset
 * @param metadata the {@code __metadata__} strings, keys sorted
 * @param dataStart file offset of the first data byte
 */
record SafetensorsHeader(List<Entry> entries, Map<String, String> metadata, long dataStart) {

  SafetensorsHeader {
    entries = List.copyOf(entries);
  }

  /**
   * @param offset of the tensor's first byte from {@link #dataStart}
   */
  record Entry(TensorInfo info, long offset) {
    long end() {
      return offset + info.bytes();
    }
  }

  long dataBytes() {
    return entries.isEmpty() ? 0 : entries.getLast().end();
  }
}
