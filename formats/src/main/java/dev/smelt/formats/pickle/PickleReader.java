package dev.smelt.formats.pickle;

import dev.smelt.formats.BadInputException;
import dev.smelt.formats.CorruptException;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.formats.pickle.PickleValue.Bool;
import dev.smelt.formats.pickle.PickleValue.Bytes;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.pickle.PickleValue.None;
import dev.smelt.formats.pickle.PickleValue.PersistentId;
import dev.smelt.formats.pickle.PickleValue.Real;
import dev.smelt.formats.pickle.PickleValue.Sequence;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import dev.smelt.formats.pickle.PickleValue.Whole;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.List;

/**
 * Reads one pickle as data. Python would execute it: a pickle is a program that calls functions by
 * name. Here a call is only described ({@link PickleValue.Reduce}), names come from an allow-list,
 * and an opcode or a name outside it is refused where it stands.
 *
 * <p>The opcodes are those with which PyTorch writes state dicts and TorchScript modules, in
 * protocols 2 to 4 (Python's {@code pickletools.py} is their reference). The text forms of protocol
 * 0, extension codes and out-of-band buffers are none of them.
 */
public final class PickleReader {

  private static final int MIN_PROTOCOL = 2;
  private static final int MAX_PROTOCOL = 4;

  private final PickleInput input;
  private final Globals globals;
  private final PickleMachine machine;

  private PickleReader(PickleInput input, Globals globals) {
    this.input = input;
    this.globals = globals;
    this.machine = new PickleMachine(input);
  }

  /**
   * @param value what the pickle describes
   * @param bytes length of the pickle
   */
  public record Result(PickleValue value, long bytes) {}

  /**
   * @param source starts with the pickle; what follows it is not looked at
   * @param globals which names may appear
   * @param where the file, for refusals
   * @param base offset of {@code source} in that file, for refusals
   * @throws BadInputException a typed refusal naming file and offset
   */
  public static Result read(MemorySegment source, Globals globals, String where, long base) {
    PickleInput input = new PickleInput(source, where, base);
    PickleValue value = new PickleReader(input, globals).run();
    Nesting.require(value, where + "@" + base);
    return new Result(value, input.position());
  }

  private PickleValue run() {
    readProtocol();
    while (true) {
      long start = input.position();
      int code = input.u8();
      Opcode opcode =
          Opcode.of(code)
              .orElseThrow(
                  () ->
                      new UnsupportedException(
                          "opcode not allowed in a pickle",
                          input.at(start),
                          String.format("found 0x%02x", code),
                          "save it with torch.save(model.state_dict(), …)"));
      machine.begin(start, opcode);
      if (opcode == Opcode.STOP) {
        return machine.result();
      }
      execute(opcode, start);
    }
  }

  private void readProtocol() {
    int first = input.u8();
    if (Opcode.of(first).filter(Opcode.PROTO::equals).isEmpty()) {
      throw new CorruptException(
          "not a pickle", input.at(0), String.format("expected 0x80, found 0x%02x", first), "");
    }
    int protocol = input.u8();
    if (protocol < MIN_PROTOCOL || protocol > MAX_PROTOCOL) {
      throw new UnsupportedException(
          "pickle of another protocol",
          input.at(1),
          "expected " + MIN_PROTOCOL + " to " + MAX_PROTOCOL + ", found " + protocol,
          "");
    }
  }

  private void execute(Opcode opcode, long start) {
    switch (opcode) {
      case PROTO -> throw new CorruptException("second start of a pickle", input.at(start), "", "");
      case STOP -> throw new AssertionError("handled by the caller");
      // Frames only tell a reader of streams how much to fetch.
      case FRAME -> {
        var _ = input.u64();
      }
      case MARK -> machine.mark();
      case NONE -> machine.push(None.NONE);
      case NEWTRUE -> machine.push(new Bool(true));
      case NEWFALSE -> machine.push(new Bool(false));
      case BININT -> machine.push(whole(input.i32()));
      case BININT1 -> machine.push(whole(input.u8()));
      case BININT2 -> machine.push(whole(input.u16()));
      case LONG1 -> machine.push(new Whole(input.number()));
      case BINFLOAT -> machine.push(new Real(input.f64()));
      case BINUNICODE, BINSTRING -> machine.push(new Text(input.text(input.u32())));
      case SHORT_BINUNICODE, SHORT_BINSTRING -> machine.push(new Text(input.text(input.u8())));
      case BINUNICODE8 -> machine.push(new Text(input.text(input.u64())));
      case BINBYTES -> machine.push(new Bytes(input.skipBytes(input.u32())));
      case SHORT_BINBYTES -> machine.push(new Bytes(input.skipBytes(input.u8())));
      case EMPTY_TUPLE -> machine.push(new Tuple(List.of()));
      case TUPLE -> machine.push(new Tuple(machine.popToMark()));
      case TUPLE1 -> machine.push(new Tuple(machine.pop(1)));
      case TUPLE2 -> machine.push(new Tuple(machine.pop(2)));
      case TUPLE3 -> machine.push(new Tuple(machine.pop(3)));
      case EMPTY_LIST, EMPTY_SET -> machine.push(new Sequence());
      case EMPTY_DICT -> machine.push(new Dict());
      case APPEND -> machine.append(machine.pop(1));
      case APPENDS, ADDITEMS -> machine.append(machine.popToMark());
      case SETITEM -> machine.setItems(machine.pop(2));
      case SETITEMS -> machine.setItems(machine.popToMark());
      case BINPUT -> machine.put(input.u8());
      case LONG_BINPUT -> machine.put(input.u32());
      case MEMOIZE -> machine.memoize();
      case BINGET -> machine.get(input.u8());
      case LONG_BINGET -> machine.get(input.u32());
      case GLOBAL -> {
        String module = input.line();
        machine.push(allowed(module, input.line(), start));
      }
      case STACK_GLOBAL -> {
        List<PickleValue> names = machine.pop(2);
        machine.push(allowed(machine.text(names.get(0)), machine.text(names.get(1)), start));
      }
      case REDUCE -> machine.reduce(this::use);
      case NEWOBJ -> machine.newObject(this::use);
      case BUILD -> machine.build();
      case BINPERSID ->
          machine.push(new PersistentId(machine.pop(1).getFirst(), input.offset(start)));
    }
  }

  private static Whole whole(long value) {
    return new Whole(BigInteger.valueOf(value));
  }

  private Global allowed(String module, String name, long start) {
    Global global = new Global(module, name);
    if (globals.use(module, name).isEmpty()) {
      throw new UnsupportedException(
          "name not allowed in a pickle",
          input.at(start),
          "found " + global.qualified(),
          "pickles are never executed; save it with torch.save(model.state_dict(), …)");
    }
    return global;
  }

  private Globals.Use use(Global global) {
    return globals.use(global.module(), global.name()).orElse(Globals.Use.NAME);
  }
}
