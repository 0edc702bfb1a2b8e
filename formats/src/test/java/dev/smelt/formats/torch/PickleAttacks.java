package dev.smelt.formats.torch;

import static dev.smelt.formats.torch.Attack.part;
import static dev.smelt.formats.torch.Attack.pickle;
import static dev.smelt.formats.torch.Attack.start;
import static dev.smelt.formats.torch.Attack.value;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.TruncatedException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.testing.PickleAssembler;
import java.util.stream.Stream;

/** Pickles that break a rule of the interpreter. */
final class PickleAttacks {

  private PickleAttacks() {}

  static Stream<Attack> all() {
    return Stream.of(names(), stack(), limits(), shapes()).flatMap(attacks -> attacks);
  }

  private static Stream<Attack> names() {
    return Stream.of(
        value(
            "calls-os-system",
            part().global("os", "system").ops("(").text("true").ops("tR"),
            UnsupportedException.class,
            "name not allowed",
            "found os.system"),
        value(
            "names-builtins-eval",
            part().global("builtins", "eval"),
            UnsupportedException.class,
            "found builtins.eval"),
        value(
            "names-eval-by-stack",
            part().text("builtins").text("eval").raw(0x93),
            UnsupportedException.class,
            "found builtins.eval"),
        value(
            "whole-module-pickled",
            part().global("torch.nn.modules.linear", "Linear").ops(")").raw(0x81),
            UnsupportedException.class,
            "torch.nn.modules.linear.Linear",
            "state_dict"),
        value(
            "script-class-outside-a-script",
            part().global("__torch__", "Net").ops(")").raw(0x81),
            UnsupportedException.class,
            "__torch__.Net"),
        value(
            "name-dotted-into-a-module",
            part().global("torch._utils", "_rebuild_tensor_v2.__globals__"),
            UnsupportedException.class,
            "__globals__"),
        value(
            "calls-a-type",
            part().global("torch", "FloatStorage").ops(")R"),
            CorruptException.class,
            "not a function"),
        value(
            "makes-an-object-of-a-function",
            part().global("torch._utils", "_rebuild_tensor").ops(")").raw(0x81),
            CorruptException.class,
            "not a class"),
        value(
            "calls-a-string",
            part().text("x").ops(")R"),
            CorruptException.class,
            "expected a function"),
        value(
            "call-without-arguments",
            part().global("torch", "Size").ops("NR"),
            CorruptException.class,
            "expected a tuple"),
        value(
            "state-of-a-call",
            part().global("torch", "Size").ops(")R}b"),
            CorruptException.class,
            "BUILD"));
  }

  private static Stream<Attack> stack() {
    return Stream.of(
        pickle("stack-underflow", start().ops("s."), CorruptException.class, "stack underflow"),
        pickle(
            "underflow-below-a-mark",
            start().ops("NN(\u0086."),
            CorruptException.class,
            "stack underflow",
            "expected 2 values, found 0"),
        pickle("no-mark", start().ops("t."), CorruptException.class, "no mark", "TUPLE"),
        pickle("nothing-left", start().ops("."), CorruptException.class, "full stack"),
        pickle("two-left", start().ops("}}."), CorruptException.class, "found 2"),
        pickle("mark-left", start().ops("}(."), CorruptException.class, "1 marks"),
        pickle("memo-miss", start().ops("h\u0007."), CorruptException.class, "memo miss", "at 7"),
        pickle("put-of-nothing", start().ops("q\0."), CorruptException.class, "stack underflow"),
        pickle("key-without-value", start().ops("}(Nu."), CorruptException.class, "key without"),
        pickle("append-to-a-dict", start().ops("}Na."), CorruptException.class, "expected a list"),
        pickle("entry-of-a-list", start().ops("]NNs."), CorruptException.class, "expected a dict"),
        pickle(
            "dict-that-holds-itself",
            start().ops("}q\0").text("a").ops("h\0s."),
            CorruptException.class,
            "contains itself"),
        pickle(
            "ordered-dict-of-odd-pairs",
            start().global("collections", "OrderedDict").ops("](Nta").raw(0x85).ops("R."),
            CorruptException.class,
            "expected pairs, found 1"));
  }

  private static Stream<Attack> limits() {
    PickleAssembler nested = start();
    for (int i = 0; i < 10_000; i++) {
      nested.ops("N").raw(0x86);
    }
    PickleAssembler gets = start().ops("]q\0(");
    gets.bytes("h\0".repeat(1_000_001).getBytes(java.nio.charset.StandardCharsets.ISO_8859_1));
    PickleAssembler deep = start().ops("N");
    for (int i = 0; i < 10_000; i++) {
      deep.raw(0x85);
    }
    PickleAssembler doubling = start().ops("N");
    for (int i = 0; i < 150; i++) {
      doubling.ops("q\0h\0").raw(0x86);
    }
    return Stream.of(
        pickle("giant-string", start().ops("X").u32(-1), LimitException.class, "string too long"),
        pickle(
            "string-longer-than-a-long",
            start().raw(0x8d).u64(-1),
            LimitException.class,
            "18446744073709551615"),
        pickle(
            "string-longer-than-file",
            start().ops("X").u32(1_000),
            TruncatedException.class,
            "expected 1000 bytes"),
        pickle("giant-number", start().raw(0x8a, 200), LimitException.class, "number too long"),
        pickle(
            "name-without-end",
            start().ops("c" + "x".repeat(5_000)),
            LimitException.class,
            "name too long"),
        pickle("nested-without-end", nested, CorruptException.class, "stack underflow"),
        pickle("stack-without-end", gets, LimitException.class, "stacks too many"),
        pickle("tuples-ten-thousand-deep", deep.ops("."), LimitException.class, "nest too deep"),
        // 2^150 paths: only a reader that looks at each value once comes to an end.
        pickle(
            "tuples-doubled-again-and-again",
            doubling.ops("."),
            UnsupportedException.class,
            "no state dict"));
  }

  private static Stream<Attack> shapes() {
    return Stream.of(
        pickle("pickle-empty", part(), TruncatedException.class, "pickle ends"),
        pickle("pickle-cut", start().ops("}"), TruncatedException.class, "pickle ends"),
        pickle("not-a-pickle", part().ops("{}"), CorruptException.class, "not a pickle"),
        pickle("protocol-zero", part().raw(0x80, 0), UnsupportedException.class, "found 0"),
        pickle("protocol-five", part().raw(0x80, 5), UnsupportedException.class, "found 5"),
        pickle("started-twice", start().raw(0x80, 2), CorruptException.class, "second start"),
        pickle("text-opcode", start().ops("I1\n."), UnsupportedException.class, "0x49"),
        pickle("extension-code", start().raw(0x82, 1), UnsupportedException.class, "0x82"),
        pickle("pickle-longer-than-it-says", start().ops("}.}"), CorruptException.class, "after"),
        pickle(
            "string-not-utf8",
            start().ops("X").u32(1).raw(0xff),
            CorruptException.class,
            "not UTF-8"));
  }
}
