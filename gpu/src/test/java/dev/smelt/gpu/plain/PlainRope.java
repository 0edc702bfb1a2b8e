package dev.smelt.gpu.plain;

import java.util.List;
import java.util.Map;

/** Rotary positions by the formulas of the papers, one angle at a time. */
final class PlainRope {

  private final TinyModel model;
  private final Map<?, ?> options;
  private final int dims;
  private final double theta;
  private final double positions;

  private PlainRope(TinyModel model, Map<?, ?> options, int dims, double theta) {
    this.model = model;
    this.options = options;
    this.dims = dims;
    this.theta = theta;
    this.positions = model.size("max_position_embeddings");
  }

  /** Turns the heads of {@code x} [T][heads·width], a sequence of its own. */
  static double[][] rotate(TinyModel model, int width, double[][] x) {
    boolean neox = model.config("model_type", "").equals("gpt_neox");
    Object object = model.config("rope_parameters", model.config("rope_scaling", Map.of()));
    Map<?, ?> options = object instanceof Map<?, ?> map ? map : Map.of();
    double share =
        neox
            ? number(model.config("rotary_pct", 0.25))
            : number(model.config("partial_rotary_factor", 1.0));
    share = optional(options, "partial_rotary_factor", share);
    double theta = number(model.config(neox ? "rotary_emb_base" : "rope_theta", 10_000));
    theta = optional(options, "rope_theta", theta);
    return new PlainRope(model, options, (int) (share * width), theta).rotated(width, x);
  }

  private double[][] rotated(int width, double[][] x) {
    double[][] y = new double[x.length][];
    for (int t = 0; t < x.length; t++) {
      y[t] = x[t].clone();
      for (int head = 0; head < x[t].length; head += width) {
        for (int i = 0; i < dims / 2; i++) {
          double angle = t * frequency(i, x.length);
          double a = x[t][head + i];
          double b = x[t][head + i + dims / 2];
          y[t][head + i] = magnitude() * (a * Math.cos(angle) - b * Math.sin(angle));
          y[t][head + i + dims / 2] = magnitude() * (b * Math.cos(angle) + a * Math.sin(angle));
        }
      }
    }
    return y;
  }

  private String type() {
    Object type = options.get("rope_type");
    type = type == null ? options.get("type") : type;
    if (type == null) {
      return "default";
    }
    boolean phi3 = model.config("model_type", "").equals("phi3");
    return phi3 && !type.equals("default") ? "longrope" : (String) type;
  }

  private double frequency(int i, int length) {
    double plain = 1 / Math.pow(theta, 2.0 * i / dims);
    return switch (type()) {
      case "default" -> plain;
      case "linear" -> plain / factor();
      case "dynamic" -> {
        double stretch = length <= positions ? 1 : factor() * length / positions - (factor() - 1);
        double base = theta * Math.pow(stretch, dims / (dims - 2.0));
        yield 1 / Math.pow(base, 2.0 * i / dims);
      }
      case "llama3" -> llama3(plain);
      case "yarn" -> yarn(i, plain);
      case "longrope" -> {
        String key = length > trained() ? "long_factor" : "short_factor";
        yield plain / divisor(key, i);
      }
      default -> throw new IllegalArgumentException(type());
    };
  }

  private double llama3(double plain) {
    double wavelength = 2 * Math.PI / plain;
    double longest = trained() / option("low_freq_factor");
    double shortest = trained() / option("high_freq_factor");
    if (wavelength < shortest) {
      return plain;
    }
    if (wavelength > longest) {
      return plain / factor();
    }
    double low = option("low_freq_factor");
    double high = option("high_freq_factor");
    double smooth = (trained() / wavelength - low) / (high - low);
    return (1 - smooth) * plain / factor() + smooth * plain;
  }

  private double yarn(int i, double plain) {
    double low = yarnPair(optional(options, "beta_fast", 32));
    double high = yarnPair(optional(options, "beta_slow", 1));
    if (!Boolean.FALSE.equals(options.get("truncate"))) {
      low = Math.floor(low);
      high = Math.ceil(high);
    }
    low = Math.max(0, low);
    high = Math.min(dims - 1.0, high);
    double ramp = (i - low) / (low == high ? 0.001 : high - low);
    ramp = Math.min(1, Math.max(0, ramp));
    return plain / factor() * ramp + plain * (1 - ramp);
  }

  private double yarnPair(double rotations) {
    return dims * Math.log(trained() / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
  }

  private double magnitude() {
    double given = optional(options, "attention_factor", 0);
    if (given != 0) {
      return given;
    }
    if (type().equals("yarn")) {
      double m = optional(options, "mscale", 0);
      double all = optional(options, "mscale_all_dim", 0);
      double log = Math.log(factor());
      return m != 0 && all != 0 ? (0.1 * m * log + 1) / (0.1 * all * log + 1) : 0.1 * log + 1;
    }
    if (type().equals("longrope")) {
      return Math.sqrt(1 + Math.log(factor()) / Math.log(trained()));
    }
    return 1;
  }

  private double factor() {
    return optional(options, "factor", positions / trained());
  }

  private double trained() {
    double inside = optional(options, "original_max_position_embeddings", positions);
    return number(model.config("original_max_position_embeddings", inside));
  }

  private double divisor(String key, int i) {
    return options.get(key) instanceof List<?> list ? number(list.get(i)) : Double.NaN;
  }

  private double option(String key) {
    return optional(options, key, Double.NaN);
  }

  private static double optional(Map<?, ?> options, String key, double absent) {
    Object value = options.get(key);
    return value == null ? absent : number(value);
  }

  private static double number(Object value) {
    return ((Number) value).doubleValue();
  }
}
