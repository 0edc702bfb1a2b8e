package dev.smelt.gpu.layer;

import ai.djl.ndarray.NDArray;
import dev.smelt.formats.UnsupportedException;
import dev.smelt.gpu.torch.ScriptFunctions;

/** A function of single numbers. */
@FunctionalInterface
public interface Activation {

  NDArray apply(NDArray x);

  /**
   * The activation of that name in a Hugging Face config.
   *
   * @param where the config file and key, for the refusal
   * @throws UnsupportedException naming those that there are
   */
  static Activation named(String name, String where, ScriptFunctions functions) {
    return switch (name) {
      case "gelu" -> ai.djl.nn.Activation::gelu;
      case "gelu_new", "gelu_fast", "gelu_pytorch_tanh" ->
          x -> functions.call(x.getManager(), "gelu_tanh", x);
      case "relu" -> ai.djl.nn.Activation::relu;
      case "silu", "swish" -> x -> functions.call(x.getManager(), "silu", x);
      case "tanh" -> NDArray::tanh;
      default ->
          throw new UnsupportedException(
              "activation not supported",
              where,
              "expected gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, relu, silu, swish or tanh,"
                  + " found "
                  + name,
              "");
    };
  }
}
