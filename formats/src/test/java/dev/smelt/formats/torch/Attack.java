package dev.smelt.formats.torch;

import dev.smelt.formats.SmeltException;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestTensor;
import dev.smelt.formats.testing.TestTensors;
import dev.smelt.formats.testing.TestTorch;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A file with one fault.
 *
 * @param fault its name, as a file name
 * @param refusal the exact exception it must give
 * @param says what its message must contain besides the file's path
 */
record Attack(
    String fault, ByteBuffer content, Class<? extends SmeltException> refusal, List<String> says) {

  /** Two elements in storage 0, named "w". */
  static final TestTensor TENSOR = TestTensors.f32("w", dev.smelt.formats.Shape.of(2), 1, 2);

  static Attack bytes(
      String fault, byte[] content, Class<? extends SmeltException> refusal, String... says) {
    return new Attack(fault, ByteBuffer.wrap(content.clone()), refusal, List.of(says));
  }

  /** A zip of this pickle and the storage of {@link #TENSOR}. */
  static Attack pickle(
      String fault,
      PickleAssembler pickle,
      Class<? extends SmeltException> refusal,
      String... says) {
    return bytes(fault, TestTorch.of(List.of(TENSOR)).zip(pickle.unfinished()), refusal, says);
  }

  /** A pickle of a dict whose only entry, "w", is what these opcodes leave on the stack. */
  static Attack value(
      String fault,
      PickleAssembler value,
      Class<? extends SmeltException> refusal,
      String... says) {
    PickleAssembler pickle = start().ops("}").text("w").bytes(value.unfinished()).ops("s.");
    return pickle(fault, pickle, refusal, says);
  }

  static PickleAssembler start() {
    return PickleAssembler.start();
  }

  /** Opcodes that go into the middle of a pickle. */
  static PickleAssembler part() {
    return new PickleAssembler();
  }

  /** The storage of {@link #TENSOR}, with another type, key and number of elements. */
  static PickleAssembler storage(String type, String key, long elements) {
    return part()
        .ops("(")
        .text("storage")
        .global("torch", type)
        .text(key)
        .text("cpu")
        .whole(elements)
        .ops("tQ");
  }

  /** A tensor of that storage. */
  static PickleAssembler tensor(
      PickleAssembler storage,
      PickleAssembler first,
      PickleAssembler sizes,
      PickleAssembler steps) {
    return part()
        .global("torch._utils", "_rebuild_tensor_v2")
        .ops("(")
        .bytes(storage.unfinished())
        .bytes(first.unfinished())
        .bytes(sizes.unfinished())
        .bytes(steps.unfinished())
        .bool(false)
        .orderedDict()
        .ops("tR");
  }

  static PickleAssembler whole(long value) {
    return part().whole(value);
  }

  static PickleAssembler tuple(long... values) {
    return part().tuple(values);
  }

  byte[] file() {
    byte[] bytes = new byte[content.capacity()];
    content.get(0, bytes);
    return bytes;
  }

  @Override
  public String toString() {
    return fault;
  }
}
