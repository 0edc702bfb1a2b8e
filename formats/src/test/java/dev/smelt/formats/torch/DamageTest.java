package dev.smelt.formats.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.smelt.formats.DType;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TensorView;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Files damaged on their way: cut, extended or with bits flipped. */
class DamageTest {

  private static final long SEED = 20_250_102;
  private static final int FLIPS = 4_000;
  private static final int PROGRAMS = 4_000;
  private static final int MAX_OPCODES = 12;
  private static final int MAX_BITS_PER_FLIP = 3;

  static Stream<byte[]> files() {
    List<TestTensor> tensors =
        List.of(
            TestTensors.random("h.0.weight", DType.F32, 1, 3, 5),
            TestTensors.random("h.0.bias", DType.BF16, 2, 4),
            TestTensors.random("codes", DType.F8_E4M3, 3, 4));
    TestTorch file =
        TestTorch.of(tensors).tensor("t", "0", 0, new long[] {5, 3}, new long[] {1, 5});
    return Stream.of(file.zip(), file.legacy(), ScriptModuleTest.archive());
  }

  @ParameterizedTest
  @MethodSource("files")
  void everyTruncationIsRefused(byte[] file) {
    for (int length = 1; length < file.length; length++) {
      assertThat(opens(Arrays.copyOf(file, length), "cut to " + length)).as("%d", length).isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void everyExtensionIsRefused(byte[] file) {
    for (int extra = 1; extra <= 64; extra++) {
      byte[] longer = Arrays.copyOf(file, file.length + extra);
      assertThat(opens(longer, extra + " bytes more")).as("%d", extra).isFalse();
    }
  }

  @ParameterizedTest
  @MethodSource("files")
  void flippedBitsGiveARefusalOrAValidCheckpoint(byte[] file) {
    SplittableRandom random = new SplittableRandom(SEED);
    int refused = 0;
    for (int i = 0; i < FLIPS; i++) {
      byte[] damaged = file.clone();
      int bits = 1 + random.nextInt(MAX_BITS_PER_FLIP);
      for (int bit = 0; bit < bits; bit++) {
        damaged[random.nextInt(file.length)] ^= (byte) (1 << random.nextInt(Byte.SIZE));
      }
      refused += opens(damaged, "seed " + SEED + ", damage " + i) ? 0 : 1;
    }
    // A flip in a name, a padding or the data leaves a valid file; most flips do not.
    assertThat(refused).isBetween(FLIPS / 5, FLIPS - 1);
  }

  /** Pickles of opcodes in any order, most with sense in their beginning. */
  @Test
  void opcodesInAnyOrderAreRefusedOrRead() {
    TestTorch file = TestTorch.of(List.of(Attack.TENSOR));
    List<byte[]> parts = new ArrayList<>();
    for (String opcodes :
        List.of("}", "]", ")", "(", "t", "u", "s", "a", "e", "N", "R", "b", "Q", "q\0", "h\0")) {
      parts.add(new PickleAssembler().ops(opcodes).unfinished());
    }
    parts.add(file.putTensor(new PickleAssembler(), 0).unfinished());
    parts.add(new PickleAssembler().text("state_dict").unfinished());
    parts.add(new PickleAssembler().global("collections", "OrderedDict").unfinished());
    parts.add(new PickleAssembler().raw(0x81).unfinished());
    parts.add(new PickleAssembler().raw(0x85).unfinished());
    parts.add(new PickleAssembler().raw(0x86).unfinished());
    SplittableRandom random = new SplittableRandom(SEED);
    int opened = 0;
    for (int i = 0; i < PROGRAMS; i++) {
      PickleAssembler pickle = PickleAssembler.start().ops("}q\0").text("w");
      int length = 1 + random.nextInt(MAX_OPCODES);
      for (int k = 0; k < length; k++) {
        pickle.bytes(parts.get(random.nextInt(parts.size())));
      }
      byte[] archive = file.zip(pickle.ops("s").stop());
      opened += opens(archive, "seed " + SEED + ", program " + i) ? 1 : 0;
    }
    // Such as the tensor alone; most are nonsense.
    assertThat(opened).isBetween(1, PROGRAMS / 2);
  }

  /** Read in memory: thousands of files would only test the disk. */
  private static boolean opens(byte[] damaged, String which) {
    MemorySegment segment = MemorySegment.ofArray(damaged);
    try (Arena arena = Arena.ofConfined()) {
      TorchFile file =
          damaged[0] == 'P'
              ? ZipCheckpointFile.read(segment, "damaged", arena)
              : LegacyFile.read(segment, "damaged", arena);
      for (TensorView view : file.tensors()) {
        assertThat(view.segment().byteSize()).as(which).isEqualTo(view.info().bytes());
      }
      return true;
    } catch (SmeltException refusal) {
      assertThat(refusal).as(which).hasMessageContaining("[damaged");
      return false;
    }
  }
}
