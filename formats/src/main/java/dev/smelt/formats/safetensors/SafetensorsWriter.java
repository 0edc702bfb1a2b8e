package dev.smelt.formats.safetensors;

import dev.smelt.formats.StorageException;
import dev.smelt.formats.TensorInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/**
 * Writes one safetensors file whose tensors are known beforehand. The header is written at once, so
 * any thread may fill any tensor in any order.
 */
public final class SafetensorsWriter implements AutoCloseable {

  private final Path path;
  private final FileChannel channel;
  private final Map<String, TensorSlot> slots = new HashMap<>();

  /**
   * @throws StorageException when the file cannot be made
   */
  public SafetensorsWriter(
      Path path, Collection<TensorInfo> tensors, Map<String, String> metadata) {
    this.path = path;
    HeaderLayout layout = new HeaderLayout(tensors, metadata);
    SafetensorsHeader header = layout.header();
    try {
      this.channel =
          FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
    for (SafetensorsHeader.Entry entry : header.entries()) {
      slots.put(
          entry.info().name(),
          new TensorSlot(entry.info(), this, header.dataStart() + entry.offset()));
    }
    write(ByteBuffer.wrap(layout.prefix()), 0);
  }

  public Map<String, TensorSlot> slots() {
    return Map.copyOf(slots);
  }

  void write(ByteBuffer bytes, long position) {
    try {
      for (long at = position; bytes.hasRemaining(); ) {
        at += channel.write(bytes, at);
      }
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
  }

  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException e) {
      throw new StorageException("cannot write", path, e);
    }
  }
}
