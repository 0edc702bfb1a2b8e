package dev.smelt.formats.torch;

import static dev.smelt.formats.torch.Attack.TENSOR;
import static dev.smelt.formats.torch.Attack.bytes;
import static dev.smelt.formats.torch.Attack.part;
import static dev.smelt.formats.torch.Attack.pickle;
import static dev.smelt.formats.torch.Attack.start;
import static dev.smelt.formats.torch.Attack.storage;
import static dev.smelt.formats.torch.Attack.tensor;
import static dev.smelt.formats.torch.Attack.tuple;
import static dev.smelt.formats.torch.Attack.value;
import static dev.smelt.formats.torch.Attack.whole;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.SmeltException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.PickleAssembler;
import dev.smelt.formats.testing.TestTorch;
import java.util.List;
import java.util.stream.Stream;

/** Pickles in order that describe what is no model. */
final class TensorAttacks {

  private TensorAttacks() {}

  static Stream<Attack> all() {
    return Stream.of(tensors(), storages(), dicts()).flatMap(attacks -> attacks);
  }

  private static Attack view(
      String fault,
      long first,
      PickleAssembler sizes,
      PickleAssembler strides,
      Class<? extends SmeltException> refusal,
      String... says) {
    return value(
        fault,
        tensor(storage("FloatStorage", "0", 2), whole(first), sizes, strides),
        refusal,
        says);
  }

  private static Stream<Attack> tensors() {
    return Stream.of(
        view("tensor-beyond-storage", 0, tuple(3), tuple(1), CorruptException.class, "|w", "3"),
        view("offset-beyond-storage", 1, tuple(2), tuple(1), CorruptException.class, "|w"),
        view("stride-beyond-storage", 0, tuple(2), tuple(9), CorruptException.class, "needs 10"),
        view("negative-offset", -1, tuple(1), tuple(1), CorruptException.class, "found -1"),
        view("negative-stride", 1, tuple(2), tuple(-1), CorruptException.class, "found -1"),
        view("negative-size", 0, tuple(-2), tuple(1), CorruptException.class, "found -2"),
        view("strides-missing", 0, tuple(2), tuple(), CorruptException.class, "as many strides"),
        view(
            "size-overflow",
            0,
            tuple(1L << 40, 1L << 40),
            tuple(0, 0),
            CorruptException.class,
            "impossible tensor size"),
        view(
            "reach-overflow",
            Long.MAX_VALUE,
            tuple(2, 2),
            tuple(Long.MAX_VALUE, 1),
            CorruptException.class,
            "beyond its storage"),
        view(
            "expanded-to-a-petabyte",
            0,
            tuple(1L << 24, 1L << 24),
            tuple(0, 0),
            LimitException.class,
            "|w",
            "not contiguous"),
        view(
            "seventy-axes",
            0,
            tuple(new long[70]),
            tuple(new long[70]),
            LimitException.class,
            "70"),
        view("sizes-no-tuple", 0, whole(2), tuple(1), CorruptException.class, "malformed tensor"),
        view(
            "size-a-string",
            0,
            part().ops("(").text("2").ops("t"),
            tuple(1),
            CorruptException.class,
            "no number"),
        value(
            "tensor-of-no-storage",
            tensor(part().text("x"), whole(0), tuple(2), tuple(1)),
            CorruptException.class,
            "malformed tensor",
            "|w"),
        value(
            "tensor-without-arguments",
            part().global("torch._utils", "_rebuild_tensor_v2").ops(")R"),
            CorruptException.class,
            "malformed tensor"),
        value(
            "parameter-of-itself",
            part().global("torch._utils", "_rebuild_parameter").ops("(NNNtR"),
            CorruptException.class,
            "malformed tensor"),
        value(
            "conjugated-view",
            part()
                .global("torch._utils", "_rebuild_tensor_v2")
                .ops("(")
                .bytes(storage("FloatStorage", "0", 2).unfinished())
                .whole(0)
                .tuple(2)
                .tuple(1)
                .bool(false)
                .orderedDict()
                .ops("}")
                .text("conj")
                .bool(true)
                .ops("stR"),
            UnsupportedException.class,
            "conjugated"));
  }

  private static Attack stored(
      String fault,
      PickleAssembler storage,
      Class<? extends SmeltException> refusal,
      String... says) {
    return value(fault, tensor(storage, whole(0), tuple(2), tuple(1)), refusal, says);
  }

  private static Stream<Attack> storages() {
    return Stream.of(
        stored(
            "storage-missing",
            storage("FloatStorage", "1", 2),
            CorruptException.class,
            "storage missing",
            "'archive/data/1' of 8 bytes"),
        stored(
            "storage-key-out-of-the-folder",
            storage("FloatStorage", "../data.pkl", 2),
            CorruptException.class,
            "storage missing"),
        stored(
            "storage-short",
            storage("DoubleStorage", "0", 2),
            TruncatedException.class,
            "too short",
            "expected 16 bytes",
            "found 8"),
        stored(
            "storage-long",
            storage("HalfStorage", "0", 2),
            CorruptException.class,
            "too long",
            "expected 4 bytes"),
        stored(
            "storage-of-unknown-type",
            storage("QInt8Storage", "0", 2),
            UnsupportedException.class,
            "torch.QInt8Storage"),
        stored(
            "storage-of-complex-doubles",
            storage("ComplexDoubleStorage", "0", 2),
            UnsupportedException.class,
            "torch.ComplexDoubleStorage"),
        stored(
            "storage-of-negative-size",
            storage("FloatStorage", "0", -2),
            CorruptException.class,
            "impossible size"),
        stored(
            "storage-of-all-bytes-there-are",
            storage("FloatStorage", "0", Long.MAX_VALUE),
            CorruptException.class,
            "impossible size"),
        stored(
            "storage-reference-of-no-tuple",
            part().text("0").ops("Q"),
            CorruptException.class,
            "malformed reference"),
        stored(
            "module-reference",
            part().ops("(").text("module").text("x").text("y").text("z").whole(1).ops("tQ"),
            CorruptException.class,
            "malformed reference"));
  }

  private static Stream<Attack> dicts() {
    TestTorch file = TestTorch.of(List.of(TENSOR));
    PickleAssembler twice = start().ops("}");
    for (int i = 0; i < 2; i++) {
      file.putTensor(twice.text("w"), 0).ops("s");
    }
    PickleAssembler unnamed = start().ops("}").whole(1);
    file.putTensor(unnamed, 0).ops("s.");
    PickleAssembler nested = start();
    file.putStateDict(nested, false).text("heads").ops("]");
    file.putTensor(nested, 0).ops("as.");
    PickleAssembler strangers = start().ops("}").text("encoder");
    file.putStateDict(strangers, false).ops("s.");
    PickleAssembler models = start().ops("}").text("model");
    file.putStateDict(models, false).ops("s").text("net");
    file.putStateDict(models, false).ops("s.");
    PickleAssembler list = start().ops("]");
    file.putTensor(list, 0).ops("a.");
    return Stream.of(
        pickle("two-tensors-of-one-name", twice.ops("."), CorruptException.class, "|w", "one name"),
        pickle("tensor-under-a-number", unnamed, UnsupportedException.class, "found 1"),
        pickle("tensors-in-a-list", nested, UnsupportedException.class, "nested", "|heads"),
        pickle("dict-of-unknown-parts", strangers, UnsupportedException.class, "nested", "encoder"),
        pickle("two-models", models, UnsupportedException.class, "model, net"),
        pickle("list-of-tensors", list, UnsupportedException.class, "a list of 1, with tensors"),
        pickle("empty-dict", start().ops("}."), UnsupportedException.class, "no tensors"),
        pickle("number", start().whole(3).ops("."), UnsupportedException.class, "found 3"),
        bytes(
            "legacy-of-numbers",
            new TestTorch().legacy(start().whole(3).stop()),
            UnsupportedException.class,
            "found 3"));
  }
}
