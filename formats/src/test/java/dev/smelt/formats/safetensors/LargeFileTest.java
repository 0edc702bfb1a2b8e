package dev.smelt.formats.safetensors;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.smelt.formats.Checkpoint;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.TestCheckpoints;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Beyond what an int can address. The files are sparse: they take a few kilobytes of disk. */
class LargeFileTest {

  private static final long ELEMENTS = (1L << 31) + 1_000;

  /** 1.5 and -2 in bf16, little-endian. */
  private static final byte[] LAST_VALUES = {(byte) 0xC0, 0x3F, 0x00, (byte) 0xC0};

  @TempDir Path temp;

  @Test
  void theLastElementsOfATensorOverFourGigabytes() throws IOException {
    long bytes = ELEMENTS * 2;
    String header =
        "{\"large\":{\"dtype\":\"BF16\",\"shape\":[%d],\"data_offsets\":[0,%d]},"
                .formatted(ELEMENTS, bytes)
            + "\"after\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[%d,%d]}}"
                .formatted(bytes, bytes + 4);
    byte[] start = TestCheckpoints.raw(header, new byte[0]);
    Path file = sparse(start, start.length + bytes - LAST_VALUES.length, LAST_VALUES, 4);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      TensorView large = checkpoint.tensor("large");
      assertThat(large.elements()).isEqualTo(ELEMENTS);
      assertThat(checkpoint.bytes()).isEqualTo(bytes + 4);
      double[] wide = new double[3];
      float[] narrow = new float[3];
      large.read(ELEMENTS - 3, 3, wide);
      large.read(ELEMENTS - 3, 3, narrow);
      assertThat(wide).containsExactly(0, 1.5, -2);
      assertThat(narrow).containsExactly(0, 1.5f, -2);
      assertThatThrownBy(() -> large.read(ELEMENTS - 2, 3, wide))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(large::toFloats)
          .isInstanceOf(LimitException.class)
          .hasMessageContainingAll("[large]", Long.toString(ELEMENTS));
      assertThat(checkpoint.tensor("after").segment().byteSize()).isEqualTo(4);
    }
  }

  @Test
  void subByteElementsBeyondTwoToThe31() throws IOException {
    long elements = (1L << 32) + 16;
    String header =
        "{\"w\":{\"dtype\":\"F4\",\"shape\":[%d],\"data_offsets\":[0,%d]}}"
            .formatted(elements, elements / 2);
    byte[] start = TestCheckpoints.raw(header, new byte[0]);
    Path file = sparse(start, start.length + elements / 2 - 1, new byte[] {(byte) 0xF1}, 0);
    try (Checkpoint checkpoint = Checkpoint.open(file)) {
      double[] values = new double[3];
      checkpoint.tensor("w").read(elements - 3, 3, values);
      assertThat(values).containsExactly(0, 0.5, -6);
    }
  }

  private Path sparse(byte[] start, long at, byte[] bytes, int zeros) throws IOException {
    Path file = temp.resolve("large.safetensors");
    try (FileChannel channel =
        FileChannel.open(
            file,
            StandardOpenOption.CREATE_NEW,
            StandardOpenOption.WRITE,
            StandardOpenOption.SPARSE)) {
      channel.write(ByteBuffer.wrap(start), 0);
      channel.write(ByteBuffer.wrap(bytes), at);
      channel.write(ByteBuffer.allocate(zeros), at + bytes.length);
    }
    return file;
  }
}
