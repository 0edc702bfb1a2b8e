package dev.smelt.formats.pickle;

import dev.smelt.formats.CorruptException;
import dev.smelt.formats.LimitException;
import dev.smelt.formats.pickle.PickleValue.Dict;
import dev.smelt.formats.pickle.PickleValue.Global;
import dev.smelt.formats.pickle.PickleValue.Instance;
import dev.smelt.formats.pickle.PickleValue.None;
import dev.smelt.formats.pickle.PickleValue.Reduce;
import dev.smelt.formats.pickle.PickleValue.Sequence;
import dev.smelt.formats.pickle.PickleValue.Text;
import dev.smelt.formats.pickle.PickleValue.Tuple;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** Stack, marks and memo of a pickle being read. */
final class PickleMachine {

  /** A batch of a thousand pairs, the most that Python puts between marks, takes two thousand. */
  private static final int MAX_STACK = 1_000_000;

  /** Values made or fetched from the memo; a quarter of a million tensors take about this. */
  private static final int MAX_VALUES = 5_000_000;

  /** Each value is put at most once by a writer. */
  private static final int MAX_MEMO = MAX_VALUES;

  private final PickleInput input;
  private final List<PickleValue> stack = new ArrayList<>();

  /** Heights of the stack at the open marks. */
  private final List<Integer> marks = new ArrayList<>();

  private final Map<Long, PickleValue> memo = new HashMap<>();
  private int values;
  private long start;
  private Opcode opcode = Opcode.PROTO;

  PickleMachine(PickleInput input) {
    this.input = input;
  }

  /** Refusals name this opcode until the next one begins. */
  void begin(long position, Opcode next) {
    start = position;
    opcode = next;
  }

  void push(PickleValue value) {
    require(++values <= MAX_VALUES, "too many values in a pickle", MAX_VALUES);
    require(stack.size() < MAX_STACK, "pickle stacks too many values", MAX_STACK);
    stack.add(value);
  }

  void mark() {
    require(marks.size() < MAX_STACK, "pickle opens too many marks", MAX_STACK);
    marks.add(stack.size());
  }

  /** Everything above the last mark, which is taken away too. */
  List<PickleValue> popToMark() {
    if (marks.isEmpty()) {
      throw corrupt("no mark on the stack", "");
    }
    return popFrom(marks.removeLast());
  }

  /** The topmost {@code count} values, lowest first; they must lie above the last mark. */
  List<PickleValue> pop(int count) {
    int floor = marks.isEmpty() ? 0 : marks.getLast();
    if (stack.size() - floor < count) {
      throw corrupt(
          "stack underflow", "expected " + count + " values, found " + (stack.size() - floor));
    }
    return popFrom(stack.size() - count);
  }

  private List<PickleValue> popFrom(int height) {
    List<PickleValue> top = stack.subList(height, stack.size());
    List<PickleValue> popped = List.copyOf(top);
    top.clear();
    return popped;
  }

  private PickleValue top() {
    int floor = marks.isEmpty() ? 0 : marks.getLast();
    if (stack.size() == floor) {
      throw corrupt("stack underflow", "expected a value, found none");
    }
    return stack.getLast();
  }

  PickleValue result() {
    if (stack.size() != 1 || !marks.isEmpty()) {
      throw corrupt(
          "pickle ends with a full stack",
          "expected 1 value, found " + stack.size() + " and " + marks.size() + " marks");
    }
    return stack.getFirst();
  }

  void put(long index) {
    memo.put(index, top());
    require(memo.size() <= MAX_MEMO, "too many values in a pickle's memo", MAX_MEMO);
  }

  void memoize() {
    put(memo.size());
  }

  void get(long index) {
    @Nullable PickleValue value = memo.get(index);
    if (value == null) {
      throw corrupt("memo miss", "nothing was put at " + index);
    }
    push(value);
  }

  void append(List<PickleValue> items) {
    if (!(top() instanceof Sequence sequence)) {
      throw mistyped("a list", top());
    }
    items.forEach(sequence::add);
  }

  /** Keys and values in turns. */
  void setItems(List<PickleValue> items) {
    if (!(top() instanceof Dict dict)) {
      throw mistyped("a dict", top());
    }
    if (items.size() % 2 != 0) {
      throw corrupt("key without a value", "found " + items.size() + " values above the mark");
    }
    for (int i = 0; i < items.size(); i += 2) {
      dict.put(items.get(i), items.get(i + 1));
    }
  }

  String text(PickleValue value) {
    if (value instanceof Text text) {
      return text.value();
    }
    throw mistyped("a string", value);
  }

  void reduce(Function<Global, Globals.Use> use) {
    List<PickleValue> call = pop(2);
    if (!(call.get(0) instanceof Global function)) {
      throw mistyped("a function", call.get(0));
    }
    if (!(call.get(1) instanceof Tuple arguments)) {
      throw mistyped("a tuple of arguments", call.get(1));
    }
    switch (use.apply(function)) {
      case CALL -> push(new Reduce(function, arguments, input.offset(start)));
      case DICT -> push(dict(arguments.items()));
      case NAME, CLASS -> throw corrupt("not a function", "found " + function.qualified());
    }
  }

  /** Python 2 gives an OrderedDict its pairs as one list, Python 3 sets them afterwards. */
  private Dict dict(List<PickleValue> arguments) {
    Dict dict = new Dict();
    if (arguments.isEmpty()) {
      return dict;
    }
    if (arguments.size() != 1 || !(arguments.getFirst() instanceof Sequence pairs)) {
      throw corrupt("malformed ordered dict", "expected no argument or a list of pairs");
    }
    for (PickleValue pair : pairs.items()) {
      List<PickleValue> items =
          switch (pair) {
            case Sequence sequence -> sequence.items();
            case Tuple tuple -> tuple.items();
            default -> throw mistyped("a pair", pair);
          };
      if (items.size() != 2) {
        throw corrupt("malformed ordered dict", "expected pairs, found " + items.size() + " items");
      }
      dict.put(items.get(0), items.get(1));
    }
    return dict;
  }

  void newObject(Function<Global, Globals.Use> use) {
    List<PickleValue> call = pop(2);
    if (!(call.get(0) instanceof Global type)) {
      throw mistyped("a class", call.get(0));
    }
    if (!(call.get(1) instanceof Tuple arguments) || !arguments.items().isEmpty()) {
      throw mistyped("an empty tuple of arguments", call.get(1));
    }
    switch (use.apply(type)) {
      case CLASS -> push(new Instance(type));
      case DICT -> push(new Dict());
      case NAME, CALL -> throw corrupt("not a class", "found " + type.qualified());
    }
  }

  void build() {
    PickleValue state = pop(1).getFirst();
    switch (top()) {
      case Instance instance when instance.state() == None.NONE -> instance.state(state);
      case Dict dict when dict.attributes() == None.NONE -> dict.attributes(state);
      default -> throw mistyped("an object without a state", top());
    }
  }

  private void require(boolean within, String what, int limit) {
    if (!within) {
      throw new LimitException(what, input.at(start), "at most " + limit, "");
    }
  }

  private CorruptException mistyped(String expected, PickleValue found) {
    return corrupt(
        "wrong type in a pickle",
        "expected " + expected + ", found a " + found.getClass().getSimpleName());
  }

  private CorruptException corrupt(String what, String detail) {
    return new CorruptException(
        what,
        input.at(start),
        detail.isEmpty() ? "at " + opcode : "at " + opcode + ": " + detail,
        "");
  }
}
