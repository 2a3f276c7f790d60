// Kernels of src/runtime/device/kernels on a CPU, against their definitions in double precision. One JSON line a case.
#include "emulated-warps.hpp"
#include "../../src/runtime/device/kernels/activation-kernels.cu"
#include "../../src/runtime/device/kernels/attention-kernels.cu"
#include "../../src/runtime/device/kernels/norm-kernels.cu"
#include "../../src/runtime/device/kernels/product-kernels.cu"
#include "../../src/runtime/device/kernels/shortlist-kernels.cu"
#include <algorithm>
#include <cstdio>
#include <random>

static std::mt19937 bits(1);
static std::normal_distribution<float> normal;

static std::vector<u16> halves(size_t count, float size = 1) {
  std::vector<u16> made(count);
  for (u16 &half : made) half = narrowed(size * normal(bits));
  return made;
}

/** Cosines and sines of some positions' angles. */
struct Turns {
  int half;
  std::vector<u16> cosines, sines;

  Turns(int positions, int headSize) : half(headSize / 2) {
    for (int position = 0; position < positions; position++)
      for (int i = 0; i < half; i++) {
        const double angle = position / std::pow(10000.0, (double)i / half);
        cosines.push_back(narrowed((float)std::cos(angle)));
        sines.push_back(narrowed((float)std::sin(angle)));
      }
  }
  /** The number `at` of a head, turned with the one half a head away. */
  u16 of(const u16 *head, int at, int position) const {
    const int angle = position * half + at % half;
    const float own = widened(head[at]) * widened(cosines[angle]);
    const float other = widened(head[(at + half) % (2 * half)]) * widened(sines[angle]);
    return narrowed(at < half ? own - other : own + other);
  }
};

enum More { NONE, DISTANCES, TURNS, OFFSET };

typedef void (*OfOne)(const u16 *, const u16 *, const u16 *, u16 *, u16 *, const int *, u16 *, int, int, int, float);
typedef void (*TurnedOfOne)(const u16 *, const u16 *, const u16 *, u16 *, u16 *, const int *, u16 *, int, int, int, float, const u16 *, const u16 *);

/** Of one token by its own kernel, where one is given. */
static void attention(int headSize, int tokens, More more = NONE, OfOne ofOne = nullptr, TurnedOfOne turnedOfOne = nullptr) {
  const int batch = 3, heads = 2, capacity = 40;
  const auto distances = halves((size_t)heads * capacity);
  const auto offset = halves((size_t)3 * heads * headSize);
  const Turns turns(capacity, headSize);
  // Of nothing, behind others, and with the last tokens that there is room for.
  const int past[batch] = {0, 17, capacity - tokens};
  const float scale = 1 / std::sqrt((float)headSize);
  const auto qkv = halves((size_t)batch * tokens * 3 * heads * headSize);
  auto before = halves((size_t)2 * batch * heads * capacity * headSize);
  // What nobody has written yet may be anything.
  for (size_t at = 0; at < before.size(); at++)
    if ((int)(at / headSize % capacity) >= past[at / headSize / capacity / heads % batch]) before[at] = 0x7e00;
  auto caches = before;
  u16 *keys = caches.data(), *values = keys + caches.size() / 2;
  std::vector<u16> output((size_t)batch * tokens * heads * headSize);
  int lengths[batch];
  for (int row = 0; row < batch; row++) lengths[row] = past[row] + tokens - 1;
  const u16 *added_ = more == OFFSET ? offset.data() : nullptr, *far = more == DISTANCES ? distances.data() : nullptr;
  launch({(batch * tokens * heads + 3) / 4, 1, 1}, 128, [&] {
    if (ofOne != nullptr)
      ofOne(qkv.data(), added_, far, keys, values, lengths, output.data(), batch, heads, capacity, scale);
    else if (turnedOfOne != nullptr)
      turnedOfOne(qkv.data(), nullptr, nullptr, keys, values, lengths, output.data(), batch, heads, capacity, scale, turns.cosines.data(),
                  turns.sines.data());
    else if (more == TURNS)
      rotary_cached_attention(qkv.data(), nullptr, nullptr, (u8 *)keys, (u8 *)values, lengths, output.data(), batch, tokens, heads,
                              headSize, capacity, scale, turns.cosines.data(), turns.sines.data());
    else
      cached_attention(qkv.data(), added_, far, (u8 *)keys, (u8 *)values, lengths, output.data(), batch, tokens, heads, headSize,
                       capacity, scale);
  });

  double apart = 0;
  auto expected = before;
  for (int row = 0; row < batch; row++)
    for (int head = 0; head < heads; head++) {
      const auto made = [&](int token, int part, int at) {
        const u16 *there = &qkv[((size_t)(row * tokens + token) * 3 + part) * heads * headSize + head * headSize];
        if (more == TURNS && part < 2) return turns.of(there, at, past[row] + token);
        return more == OFFSET ? (u16)added(there[at], offset[(part * heads + head) * headSize + at]) : there[at];
      };
      const auto place = [&](int part, int token, int at) {
        return (((size_t)(part - 1) * batch * heads + row * heads + head) * capacity + token) * headSize + at;
      };
      for (int token = 0; token < tokens; token++)
        for (int part = 1; part <= 2; part++)
          for (int at = 0; at < headSize; at++) expected[place(part, past[row] + token, at)] = made(token, part, at);
      for (int token = 0; token < tokens; token++) {
        const int count = past[row] + token + 1;
        std::vector<double> weights(count);
        for (int other = 0; other < count; other++) {
          double score = 0;
          for (int at = 0; at < headSize; at++)
            score += (double)widened(made(token, 0, at)) * widened(expected[place(1, other, at)]);
          weights[other] = score * scale + (more == DISTANCES ? widened(distances[head * capacity + count - 1 - other]) : 0);
        }
        const double greatest = *std::max_element(weights.begin(), weights.end());
        double all = 0;
        for (double &weight : weights) all += weight = std::exp(weight - greatest);
        for (int at = 0; at < headSize; at++) {
          double sum = 0;
          for (int other = 0; other < count; other++) sum += weights[other] / all * widened(expected[place(2, other, at)]);
          const double found = widened(output[((size_t)(row * tokens + token) * heads + head) * headSize + at]);
          apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum));
        }
      }
    }
  printf("{\"kernel\":\"%s\",\"headSize\":%d,\"tokens\":%d,\"apart\":%g,\"caches\":%s}\n",
         ofOne == nullptr && turnedOfOne == nullptr ? "attention" : "attention_of_one", headSize, tokens, std::isinf(apart) ? 1e9 : apart,
         caches == expected ? "true" : "false");
}

/** Queries that see a cache which others have made, each all of its row's. */
static void crossAttention(int headSize, int tokens, OfOne ofOne = nullptr) {
  const int batch = 3, heads = 2, capacity = 40, width = heads * headSize;
  const int seen[batch] = {1, 33, 40};
  const float scale = 1 / std::sqrt((float)headSize);
  const auto queries = halves((size_t)batch * tokens * width);
  const auto before = halves((size_t)2 * batch * capacity * width);
  auto caches = before;
  u16 *keys = caches.data(), *values = keys + caches.size() / 2;
  std::vector<u16> output((size_t)batch * tokens * width);
  int lengths[batch];
  for (int row = 0; row < batch; row++) lengths[row] = seen[row] - 1;
  launch({(batch * tokens * heads + 3) / 4, 1, 1}, 128, [&] {
    if (ofOne != nullptr)
      ofOne(queries.data(), nullptr, nullptr, keys, values, lengths, output.data(), batch, heads, capacity, scale);
    else
      cross_attention(queries.data(), nullptr, nullptr, (u8 *)keys, (u8 *)values, lengths, output.data(), batch, tokens, heads, headSize,
                      capacity, scale);
  });

  double apart = 0;
  for (int row = 0; row < batch; row++)
    for (int head = 0; head < heads; head++)
      for (int token = 0; token < tokens; token++) {
        const size_t own = (size_t)(row * tokens + token) * width + head * headSize;
        const auto cached = [&](int part, int other, int at) -> double {
          return widened(before[(((size_t)part * batch * heads + row * heads + head) * capacity + other) * headSize + at]);
        };
        std::vector<double> weights(seen[row]);
        for (int other = 0; other < seen[row]; other++)
          for (int at = 0; at < headSize; at++) weights[other] += scale * widened(queries[own + at]) * cached(0, other, at);
        const double greatest = *std::max_element(weights.begin(), weights.end());
        double all = 0;
        for (double &weight : weights) all += weight = std::exp(weight - greatest);
        for (int at = 0; at < headSize; at++) {
          double sum = 0;
          for (int other = 0; other < seen[row]; other++) sum += weights[other] / all * cached(1, other, at);
          const double found = widened(output[own + at]);
          apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum));
        }
      }
  printf("{\"kernel\":\"cross_attention\",\"headSize\":%d,\"tokens\":%d,\"apart\":%g,\"caches\":%s}\n", headSize, tokens,
         std::isinf(apart) ? 1e9 : apart, caches == before ? "true" : "false");
}

/** Caches of integers of 8 bits with a scale for each head and token. */
struct QuantizedCaches {
  int heads, capacity, headSize;
  std::vector<u8> bytes;

  QuantizedCaches(int batch, int heads_, int capacity_, int headSize_)
      : heads(heads_), capacity(capacity_), headSize(headSize_), bytes((size_t)2 * batch * heads_ * capacity_ * (headSize_ + 2)) {}
  u8 *head(int part, int row, int head_) {
    const size_t headBytes = (size_t)capacity * (headSize + 2);
    return bytes.data() + part * bytes.size() / 2 + ((size_t)row * heads + head_) * headBytes;
  }
  u16 *scale(int part, int row, int head_, int token) {
    return (u16 *)(head(part, row, head_) + (size_t)capacity * headSize) + token;
  }
  double at(int part, int row, int head_, int token, int place) {
    return (head(part, row, head_)[(size_t)token * headSize + place] - 128) * (double)widened(*scale(part, row, head_, token));
  }
  void put(int part, int row, int head_, int token, const u16 *numbers) {
    double greatest = 0;
    for (int i = 0; i < headSize; i++) greatest = std::max(greatest, std::fabs((double)widened(numbers[i])));
    const u16 half = narrowed((float)greatest / 127);
    *scale(part, row, head_, token) = half;
    const double size = widened(half);
    for (int i = 0; i < headSize; i++) {
      const double whole = size > 0 ? std::nearbyint(widened(numbers[i]) / size) : 0;
      head(part, row, head_)[(size_t)token * headSize + i] = (u8)(128 + std::clamp(whole, -127.0, 127.0));
    }
  }
};

/** A prompt of some tokens, then single ones, which read what the kernel has left of those before them. */
static void quantizedAttention(int headSize, int tokens, float size, bool isOffset = false) {
  const int batch = 3, heads = 2, capacity = 40, width = heads * headSize, steps = 3;
  const float scale = 1 / (size * std::sqrt((float)headSize));
  QuantizedCaches caches(batch, heads, capacity, headSize), expected = caches;
  const auto offset = halves((size_t)3 * width, size);
  double apart = 0;
  bool isSame = true;
  for (int step = 0, past = 0; step <= steps; past += step == 0 ? tokens : 1, step++) {
    const int count = step == 0 ? tokens : 1;
    auto qkv = halves((size_t)batch * count * 3 * width, size);
    std::vector<u16> output((size_t)batch * count * width);
    int lengths[batch];
    for (int &length : lengths) length = past + count - 1;
    launch({(batch * count * heads + 3) / 4, 1, 1}, 128, [&] {
      int8_cached_attention(qkv.data(), isOffset ? offset.data() : nullptr, nullptr, caches.head(0, 0, 0), caches.head(1, 0, 0), lengths,
                            output.data(), batch, count, heads, headSize, capacity, scale);
    });
    for (size_t at = 0; isOffset && at < qkv.size(); at++) qkv[at] = (u16)added(qkv[at], offset[at % offset.size()]);
    for (int row = 0; row < batch; row++)
      for (int head = 0; head < heads; head++) {
        const u16 *own = qkv.data() + (size_t)row * count * 3 * width + head * headSize;
        for (int token = 0; token < count; token++)
          for (int part = 0; part < 2; part++)
            expected.put(part, row, head, past + token, own + ((size_t)token * 3 + part + 1) * width);
        for (int token = 0; token < count; token++) {
          const auto seen = [&](int part, int other, int at) -> double {
            if (other < past) return expected.at(part, row, head, other, at);
            return widened(own[((size_t)(other - past) * 3 + part + 1) * width + at]);
          };
          std::vector<double> weights(past + token + 1);
          for (size_t other = 0; other < weights.size(); other++) {
            weights[other] = 0;
            for (int at = 0; at < headSize; at++)
              weights[other] += scale * widened(own[(size_t)token * 3 * width + at]) * seen(0, (int)other, at);
          }
          const double greatest = *std::max_element(weights.begin(), weights.end());
          double all = 0;
          for (double &weight : weights) all += weight = std::exp(weight - greatest);
          for (int at = 0; at < headSize; at++) {
            double sum = 0;
            for (size_t other = 0; other < weights.size(); other++) sum += weights[other] / all * seen(1, (int)other, at);
            const double found = widened(output[((size_t)row * count + token) * width + head * headSize + at]);
            apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum) / size);
          }
        }
      }
    isSame = isSame && caches.bytes == expected.bytes;
  }
  printf("{\"kernel\":\"int8_attention\",\"headSize\":%d,\"tokens\":%d,\"apart\":%g,\"caches\":%s}\n", headSize, tokens,
         std::isinf(apart) ? 1e9 : apart, isSame ? "true" : "false");
}

/** What is no number has to be seen: nothing in a cache may hide it. */
static void attentionToNothing() {
  const int headSize = 16, capacity = 8;
  QuantizedCaches caches(1, 1, capacity, headSize);
  auto qkv = halves(3 * headSize);
  qkv[headSize + 3] = 0x7e00;
  std::vector<u16> output(headSize);
  for (int length : {0, 1}) {
    launch({1, 1, 1}, 128, [&] {
      int8_cached_attention(qkv.data(), nullptr, nullptr, caches.head(0, 0, 0), caches.head(1, 0, 0), &length, output.data(), 1, 1, 1,
                            headSize, capacity, 1.0f);
    });
    qkv = halves(3 * headSize);
  }
  const bool isSeen = std::all_of(output.begin(), output.end(), [](u16 half) { return std::isnan(widened(half)); });
  printf("{\"kernel\":\"int8_attention\",\"apart\":%d,\"caches\":true}\n", isSeen ? 0 : 1);
}

using OfMany = std::function<void(const u16 *, const u16 *, u16 *, u16 *, const int *, u16 *, int, int, int, float)>;

/** @param past of each row, of a causal one with caches; none where all tokens see each other */
static void attentionOfMany(const OfMany &kernel, int headSize, int tokens, int warps, const std::vector<int> &past, bool isBiased,
                            const Turns *turns = nullptr) {
  const bool isCausal = !past.empty();
  const int batch = isCausal ? past.size() : 1, heads = 2, capacity = isCausal ? 64 : tokens;
  // Large enough that the greatest score is looked for more than once.
  const float scale = 4 / std::sqrt((float)headSize);
  const int width = heads * headSize;
  const auto qkv = halves((size_t)batch * tokens * 3 * width);
  const auto bias = halves((size_t)3 * width);
  const auto before = halves((size_t)2 * batch * capacity * width);
  auto caches = before;
  u16 *keys = caches.data(), *values = keys + caches.size() / 2;
  std::vector<u16> output((size_t)batch * tokens * width, 0x7e00);
  std::vector<int> lengths;
  for (const int each : past) lengths.push_back(each + tokens - 1);
  memset(emulatedMemory, 0xff, sizeof emulatedMemory);
  launch({heads, batch, 1}, warps * 32, [&] {
    kernel(qkv.data(), isBiased ? bias.data() : nullptr, isCausal ? keys : nullptr, isCausal ? values : nullptr,
           isCausal ? lengths.data() : nullptr, output.data(), tokens, heads, capacity, scale);
  });

  double apart = 0;
  auto expected = before;
  for (int row = 0; row < batch; row++)
    for (int head = 0; head < heads; head++) {
      const int begun = isCausal ? past[row] : 0;
      const auto made = [&](int token, int part, int at) {
        const u16 *there = &qkv[((size_t)(row * tokens + token) * 3 + part) * width + head * headSize];
        if (turns != nullptr && part < 2) return turns->of(there, at, begun + token);
        const u16 own = there[at];
        return isBiased ? (u16)added(own, bias[part * width + head * headSize + at]) : own;
      };
      const auto place = [&](int part, int token, int at) {
        return (((size_t)(part - 1) * batch * heads + row * heads + head) * capacity + token) * headSize + at;
      };
      const auto known = [&](int part, int token, int at) {
        return widened(token < begun ? before[place(part, token, at)] : made(token - begun, part, at));
      };
      for (int token = 0; token < tokens && isCausal; token++)
        for (int part = 1; part <= 2; part++)
          for (int at = 0; at < headSize; at++) expected[place(part, begun + token, at)] = made(token, part, at);
      for (int token = 0; token < tokens; token++) {
        const int count = isCausal ? begun + token + 1 : tokens;
        std::vector<double> weights(count);
        for (int other = 0; other < count; other++) {
          double score = 0;
          for (int at = 0; at < headSize; at++) score += (double)widened(made(token, 0, at)) * known(1, other, at);
          weights[other] = score * scale;
        }
        const double greatest = *std::max_element(weights.begin(), weights.end());
        double all = 0;
        for (double &weight : weights) all += weight = std::exp(weight - greatest);
        for (int at = 0; at < headSize; at++) {
          double sum = 0;
          for (int other = 0; other < count; other++) sum += weights[other] / all * known(2, other, at);
          const double found = widened(output[((size_t)(row * tokens + token) * heads + head) * headSize + at]);
          apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum) / (1 + std::fabs(sum)));
        }
      }
    }
  printf("{\"kernel\":\"attention_of_many\",\"headSize\":%d,\"tokens\":%d,\"causal\":%s,\"apart\":%g,\"caches\":%s}\n", headSize, tokens,
         isCausal ? "true" : "false", std::isinf(apart) ? 1e9 : apart, caches == expected ? "true" : "false");
}

/** @param seen tokens of the picture that each query attends to */
static void attentionToPicture(int tokens, int seen, int warps) {
  const int headSize = 64, batch = 2, heads = 2, width = heads * headSize;
  const float scale = 1 / std::sqrt((float)headSize);
  const auto queries = halves((size_t)batch * tokens * width);
  const auto memory = halves((size_t)batch * seen * 2 * width);
  const auto bias = halves((size_t)3 * width);
  std::vector<u16> output(queries.size(), 0x7e00);
  memset(emulatedMemory, 0xff, sizeof emulatedMemory);
  launch({heads, batch, 1}, warps * 32, [&] {
    attention_to_picture_64(queries.data(), bias.data(), memory.data(), output.data(), tokens, heads, seen, scale);
  });

  double apart = 0;
  for (int row = 0; row < batch; row++)
    for (int head = 0; head < heads; head++) {
      const auto made = [&](int part, int token, int at) -> double {
        const int column = head * headSize + at;
        const u16 own = part == 0 ? queries[(size_t)(row * tokens + token) * width + column]
                                  : memory[((size_t)(row * seen + token) * 2 + part - 1) * width + column];
        return widened(added(own, bias[part * width + column]));
      };
      for (int token = 0; token < tokens; token++) {
        std::vector<double> weights(seen);
        for (int other = 0; other < seen; other++)
          for (int at = 0; at < headSize; at++) weights[other] += scale * made(0, token, at) * made(1, other, at);
        const double greatest = *std::max_element(weights.begin(), weights.end());
        double all = 0;
        for (double &weight : weights) all += weight = std::exp(weight - greatest);
        for (int at = 0; at < headSize; at++) {
          double sum = 0;
          for (int other = 0; other < seen; other++) sum += weights[other] / all * made(2, other, at);
          const double found = widened(output[(size_t)(row * tokens + token) * width + head * headSize + at]);
          apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum));
        }
      }
    }
  printf("{\"kernel\":\"attention_to_picture\",\"tokens\":%d,\"seen\":%d,\"apart\":%g}\n", tokens, seen, std::isinf(apart) ? 1e9 : apart);
}

using Activation = void (*)(const u16 *, const u16 *, u16 *, int, int);

/** Of every half, with two offsets. */
static void activation(const char *name, Activation kernel, double (*of)(double)) {
  const int eighths = 3, width = 8 * eighths, rows = 65536 / width + 1;
  std::vector<u16> x((size_t)rows * width), y(x.size(), 0x7e00), bias(width);
  for (size_t i = 0; i < x.size(); i++) x[i] = (u16)i;
  for (int i = 0; i < width; i++) bias[i] = narrowed(i % 2 * 0.75f);
  const int pieces = rows * eighths, each = 64 * PIECES;
  launch({(pieces + each - 1) / each, 1, 1}, 64, [&] { kernel(x.data(), bias.data(), y.data(), eighths, pieces); });
  double apart = 0;
  for (size_t i = 0; i < x.size(); i++) {
    const double sum = (double)widened(x[i]) + widened(bias[i % width]);
    const double found = widened(y[i]);
    if (std::isnan(of(sum))) {
      if (!std::isnan(found)) apart = INFINITY;
      continue;
    }
    const double expected = of(sum);
    if (std::isinf(expected) || std::fabs(expected) > 65504) continue;
    apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - expected) / (1e-3 + std::fabs(expected)));
  }
  printf("{\"kernel\":\"%s\",\"apart\":%g}\n", name, std::isinf(apart) ? 1e9 : apart);
}

struct Weights {
  int bits, outputs, inputs, blockSize;
  std::vector<u8> values;
  std::vector<u16> scales;

  Weights(int bits_, int outputs_, int inputs_, int blockSize_)
      : bits(bits_), outputs(outputs_), inputs(inputs_), blockSize(blockSize_), values((size_t)outputs_ * inputs_ * bits_ / 8),
        scales(halves((size_t)outputs_ * inputs_ / blockSize_, 0.02f)) {
    for (u8 &value : values) value = (u8)::bits();
  }
  /** In float16, as ONNX Runtime's MatMulNBits defines it. */
  float at(int output, int input) const {
    const size_t place = (size_t)output * inputs + input;
    const int integer = bits == 8 ? values[place] - 128 : (values[place / 2] >> 4 * (place % 2) & 15) - 8;
    return widened(narrowed(integer * widened(scales[place / blockSize])));
  }
};

using Product = void (*)(const u16 *, const u8 *, const u16 *, const u16 *, u16 *, int, int, int, int, int, float *, u32 *);

enum Finish { NO_BIAS, BIAS, BIAS_RELU };

static void product(Product kernel, int columns, int rows, int splits, const Weights &weights, Finish finish = NO_BIAS) {
  const auto [bits, outputs, inputs, blockSize, values, scales] = weights;
  const auto x = halves((size_t)rows * inputs);
  const auto bias = halves(outputs, 3);
  std::vector<u16> y((size_t)rows * outputs, 0x7e00), again = y;
  const Dim grid = {(outputs + 63) / 64, (rows + 8 * columns - 1) / (8 * columns), splits};
  std::vector<float> partials((size_t)grid.x * grid.y * splits * 64 * columns * 8, NAN);
  std::vector<u32> arrivals(grid.x * grid.y);
  for (u16 *result : {y.data(), again.data()})
    launch(grid, 128, [&, v = values.data(), s = scales.data(), outputs = outputs, inputs = inputs, blockSize = blockSize] {
      kernel(x.data(), v, s, finish == NO_BIAS ? nullptr : bias.data(), result, rows, outputs, inputs, blockSize,
             finish == BIAS_RELU, partials.data(), arrivals.data());
    });
  double apart = 0;
  for (int row = 0; row < rows; row++)
    for (int output = 0; output < outputs; output++) {
      double sum = finish == NO_BIAS ? 0 : widened(bias[output]);
      for (int input = 0; input < inputs; input++)
        sum += (double)weights.at(output, input) * widened(x[(size_t)row * inputs + input]);
      if (finish == BIAS_RELU) sum = std::max(sum, 0.0);
      const double found = widened(y[(size_t)row * outputs + output]);
      apart = std::max(apart, std::isnan(found) ? INFINITY : std::fabs(found - sum) / (1 + std::fabs(sum)));
    }
  const bool isZero = std::all_of(arrivals.begin(), arrivals.end(), [](u32 count) { return count == 0; });
  printf("{\"kernel\":\"int%d_product\",\"columns\":%d,\"rows\":%d,\"splits\":%d,\"apart\":%g,\"repeats\":%s}\n", bits, columns,
         rows, splits, std::isinf(apart) ? 1e9 : apart, isZero && y == again ? "true" : "false");
}

static void floats(void (*kernel)(const u8 *, const u16 *, u16 *, int, int, int), const Weights &weights) {
  std::vector<u16> made((size_t)weights.outputs * weights.inputs);
  const int pieces = (int)(made.size() * weights.bits / 128);
  launch({(pieces + 63) / 64, 1, 1}, 64,
         [&] { kernel(weights.values.data(), weights.scales.data(), made.data(), weights.inputs, weights.blockSize, pieces); });
  int wrong = 0;
  for (int output = 0; output < weights.outputs; output++)
    for (int input = 0; input < weights.inputs; input++)
      wrong += widened(made[(size_t)output * weights.inputs + input]) != weights.at(output, input);
  printf("{\"kernel\":\"int%d_floats\",\"apart\":%d}\n", weights.bits, wrong);
}

/** The end of products of another library, and that nothing hides what is no number. */
static void finished(int rows, int outputs, bool isRelu) {
  const auto bias = halves(outputs);
  auto y = halves((size_t)rows * outputs);
  y[5] = 0x7e00;
  const auto before = y;
  const int pieces = rows * outputs / 8;
  launch({(pieces + 63) / 64, 1, 1}, 64, [&] { finish_products(y.data(), bias.data(), outputs, isRelu, pieces); });
  int wrong = 0;
  for (size_t i = 0; i < y.size(); i++) {
    const float sum = widened(before[i]) + widened(bias[i % outputs]);
    wrong += std::isnan(sum) ? !std::isnan(widened(y[i])) : widened(y[i]) != widened(narrowed(isRelu && sum < 0 ? 0 : sum));
  }
  printf("{\"kernel\":\"finish_products\",\"apart\":%d}\n", wrong);
}

static_assert(offsetof(Shortlist, sum) == 8 && offsetof(Shortlist, count) == 16 && offsetof(Shortlist, isFinite) == 20, "");
static_assert(offsetof(Shortlist, ids) == 32 && offsetof(Shortlist, logits) == 544 && sizeof(Shortlist) == 1056, "");

/** Rows of random logits, of few different ones, and of one that is not finite; `isListed`: what the kernel says of a row is so. */
static void shortlist(int width, int wanted, float divisor = 1) {
  const int rows = 4;
  std::vector<float> logits(rows * width);
  for (float &logit : logits) logit = 3 * normal(bits);
  for (int id = 0; id < width; id++) logits[width + id] = std::round(logits[width + id] / 4);
  logits[2 * width + width / 2] = -NOTHING;
  logits[3 * width + width - 1] = std::nanf("");
  std::vector<Shortlist> lists(rows);
  launch({rows, 1, 1}, LOOKERS, [&] { shortlists(logits.data(), lists.data(), width, wanted, divisor); });

  double apart = 0;
  bool isListed = true;
  for (int row = 0; row < rows; row++) {
    const float *own = &logits[row * width];
    const Shortlist &list = lists[row];
    isListed = isListed && list.isFinite == (row < 2);
    if (row >= 2) continue;
    std::vector<float> sorted(own, own + width);
    std::sort(sorted.rbegin(), sorted.rend());
    double sum = 0;
    for (const float logit : sorted) sum += std::exp((double)(logit / divisor) - (double)(sorted[0] / divisor));
    apart = std::max(apart, std::fabs(list.sum / sum - 1));
    std::vector<std::pair<int, float>> reach, listed;
    for (int id = 0; id < width; id++)
      if (own[id] >= list.least) reach.push_back({id, own[id]});
    for (u32 place = 0; place < std::min(list.count, (u32)LISTED); place++) listed.push_back({list.ids[place], list.logits[place]});
    const bool isWhole = list.count > LISTED || listed == reach;
    const bool isEnough = list.count >= std::min(wanted, width) && list.least <= sorted[std::min(wanted, width) - 1];
    isListed = isListed && isWhole && isEnough && list.count == reach.size() && list.greatest == sorted[0];
  }
  printf("{\"kernel\":\"shortlists\",\"apart\":%g,\"isListed\":%s}\n", apart, isListed ? "true" : "false");
}

/** A gate of both halves of a row, each of whose steps is rounded to float16. */
enum Gate { GELU, GELU_NEW, SILU };

static void gates(int rows, int width, Gate kind) {
  const auto x = halves((size_t)rows * 2 * width, 2);
  std::vector<float> y((size_t)rows * width);
  std::vector<u16> narrow(y.size());
  const int pieces = rows * width / 8;
  launch({(pieces + 63) / 64, 1, 1}, 64, [&] {
    if (kind == GELU) gated_gelu(x.data(), y.data(), width / 8, pieces);
    else if (kind == GELU_NEW) gated_gelu_new(x.data(), y.data(), width / 8, pieces);
    else gated_silu(x.data(), narrow.data(), width / 8, pieces);
  });
  if (kind == SILU) std::transform(narrow.begin(), narrow.end(), y.begin(), widened);
  double apart = 0;
  bool isHalf = true;
  for (int row = 0; row < rows; row++)
    for (int at = 0; at < width; at++) {
      const double gate = widened(x[(size_t)row * 2 * width + at]), linear = widened(x[(size_t)row * 2 * width + width + at]);
      const double tanh = std::tanh(std::sqrt(2 / M_PI) * (gate + 0.044715 * gate * gate * gate));
      const float found = y[(size_t)row * width + at];
      const double share = kind == SILU ? 1 / (1 + std::exp(-gate)) : (kind == GELU_NEW ? 1 + tanh : std::erfc(-gate / std::sqrt(2.0))) / 2;
      const double expected = gate * share * linear;
      apart = std::max(apart, std::fabs(found - expected) / std::max(1.0, std::fabs(expected)));
      isHalf = isHalf && widened(narrowed(found)) == found;
    }
  printf("{\"kernel\":\"gated\",\"apart\":%g,\"caches\":%s}\n", apart, isHalf ? "true" : "false");
}

static void summedNorm(int rows, int width, bool isWide) {
  const auto half = halves((size_t)rows * width);
  const auto weight = halves(width);
  std::vector<float> wide, x, sum((size_t)rows * width);
  for (size_t at = 0; at < half.size(); at++) {
    wide.push_back(isWide ? 70000 * normal(bits) : widened(half[at]));
    x.push_back(isWide ? 70000 * normal(bits) : normal(bits));
  }
  std::vector<u16> normed((size_t)rows * width);
  const float epsilon = 1e-6f;
  launch({rows, 1, 1}, NORMERS, [&] {
    if (isWide) add_wide_rms_norm(wide.data(), x.data(), weight.data(), sum.data(), normed.data(), width, epsilon);
    else add_rms_norm(half.data(), x.data(), weight.data(), sum.data(), normed.data(), width, epsilon);
  });
  double apart = 0;
  bool isAdded = true;
  for (int row = 0; row < rows; row++) {
    double squares = 0;
    for (int at = 0; at < width; at++) {
      const size_t place = (size_t)row * width + at;
      isAdded = isAdded && sum[place] == wide[place] + x[place];
      squares += (double)sum[place] * sum[place];
    }
    for (int at = 0; at < width; at++) {
      const size_t place = (size_t)row * width + at;
      const double expected = sum[place] / std::sqrt(squares / width + epsilon) * widened(weight[at]);
      apart = std::max(apart, std::fabs(widened(normed[place]) - expected) / std::max(1.0, std::fabs(expected)));
    }
  }
  printf("{\"kernel\":\"add_rms_norm\",\"apart\":%g,\"caches\":%s}\n", apart, isAdded ? "true" : "false");
}

static void summedLayerNorm(int rows, int width) {
  const auto floats = [](int count, float size, float middle) {
    std::vector<float> made;
    for (int at = 0; at < count; at++) made.push_back(middle + size * normal(bits));
    return made;
  };
  const auto branch = halves((size_t)rows * width);
  // Far from 0, as a mean of squares less the square of the mean would not survive.
  const auto offset = floats(width, 1, 300), x = floats(rows * width, 1, 0), weight = floats(width, 1, 1), bias = floats(width, 1, 0);
  std::vector<float> normed((size_t)rows * width);
  std::vector<u16> half(normed.size());
  const float epsilon = 1e-12f;
  launch({rows, 1, 1}, NORMERS, [&] {
    add_layer_norm(branch.data(), offset.data(), x.data(), weight.data(), bias.data(), normed.data(), half.data(), width, epsilon);
  });
  double apart = 0;
  bool isHalf = true;
  for (int row = 0; row < rows; row++) {
    const auto sum = [&](int at) { return (double)widened(branch[(size_t)row * width + at]) + offset[at] + x[(size_t)row * width + at]; };
    double mean = 0, variance = 0;
    for (int at = 0; at < width; at++) mean += sum(at) / width;
    for (int at = 0; at < width; at++) variance += (sum(at) - mean) * (sum(at) - mean) / width;
    for (int at = 0; at < width; at++) {
      const size_t place = (size_t)row * width + at;
      apart = std::max(apart, std::fabs((sum(at) - mean) / std::sqrt(variance + epsilon) * weight[at] + bias[at] - normed[place]));
      isHalf = isHalf && half[place] == narrowed(normed[place]);
    }
  }
  printf("{\"kernel\":\"add_layer_norm\",\"apart\":%g,\"caches\":%s}\n", apart, isHalf ? "true" : "false");
}

using RotaryOfMany = void (*)(const u16 *, const u16 *, u16 *, u16 *, const int *, u16 *, int, int, int, float, const u16 *, const u16 *);

static void rotaryAttentionOfMany(RotaryOfMany kernel, int headSize, int tokens, const std::vector<int> &past) {
  const Turns turns(64, headSize);
  const OfMany bound = [&](auto... given) { kernel(given..., turns.cosines.data(), turns.sines.data()); };
  attentionOfMany(bound, headSize, tokens, 3, past, false, &turns);
}

int main() {
  for (int headSize : {8, 16, 64, 80, 128, 256})
    for (int tokens : {1, 5}) attention(headSize, tokens);
  for (int tokens : {1, 5}) attention(64, tokens, DISTANCES);
  for (int headSize : {16, 80, 128}) attention(headSize, 4, TURNS);
  attention(128, 1, TURNS);
  for (int tokens : {1, 4}) attention(88, tokens, OFFSET);
  attention(64, 1, NONE, attention_of_one_64);
  attention(64, 1, DISTANCES, attention_of_one_64);
  attention(80, 1, OFFSET, attention_of_one_80);
  attention(128, 1, OFFSET, attention_of_one_128);
  attention(64, 1, TURNS, nullptr, rotary_attention_of_one_64);
  attention(128, 1, TURNS, nullptr, rotary_attention_of_one_128);
  crossAttention(64, 1, cross_attention_of_one_64);
  for (int headSize : {8, 64}) crossAttention(headSize, 1);
  crossAttention(128, 3);
  for (int headSize : {8, 64, 80, 256}) quantizedAttention(headSize, 5, 1);
  quantizedAttention(80, 33, 20);
  quantizedAttention(64, 5, 1, true);
  attentionToNothing();
  attentionOfMany(attention_of_many_64, 64, 16, 1, {0, 5}, false);
  attentionOfMany(attention_of_many_80, 80, 33, 3, {0, 31, 7}, false);
  attentionOfMany(attention_of_many_128, 128, 40, 2, {0, 24}, true);
  attentionOfMany(attention_of_many_88, 88, 257, 9, {}, true);
  attentionOfMany(attention_of_many_88, 88, 19, 2, {}, false);
  rotaryAttentionOfMany(rotary_attention_of_many_128, 128, 38, {0, 20});
  rotaryAttentionOfMany(rotary_attention_of_many_80, 80, 17, {3});
  attentionToPicture(32, 257, 8);
  attentionToPicture(35, 16, 2);
  attentionToPicture(3, 33, 1);
  activation("bias_gelu", bias_gelu, [](double x) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; });
  activation("bias_relu", bias_relu, [](double x) { return x < 0 ? 0 : x; });
  gates(3, 40, GELU);
  gates(2, 16, GELU_NEW);
  gates(2, 24, SILU);
  summedNorm(2, 2048, false);
  summedNorm(2, 1028, true);
  summedLayerNorm(2, 768);
  summedLayerNorm(1, 1284);
  product(int8_product_2, 2, 3, 1, Weights(8, 80, 256, 32));
  product(int8_product_2, 2, 11, 3, Weights(8, 48, 512, 32));
  product(int8_product_2, 2, 1, 7, Weights(8, 64, 1024, 64));
  product(int8_product_4, 4, 32, 2, Weights(8, 64, 512, 32));
  product(int8_product_6, 6, 50, 1, Weights(8, 64, 320, 64));
  product(int4_product_2, 2, 3, 1, Weights(4, 80, 256, 64));
  product(int4_product_4, 4, 20, 2, Weights(4, 64, 1280, 64));
  product(int4_product_6, 6, 48, 4, Weights(4, 32, 640, 32));
  product(int8_product_2, 2, 9, 3, Weights(8, 80, 512, 32), BIAS);
  product(int8_product_4, 4, 24, 1, Weights(8, 48, 256, 32), BIAS_RELU);
  product(int4_product_2, 2, 16, 2, Weights(4, 64, 1280, 64), BIAS_RELU);
  finished(3, 40, false);
  finished(5, 24, true);
  floats(int8_floats, Weights(8, 6, 256, 64));
  floats(int4_floats, Weights(4, 6, 256, 64));
  shortlist(50272, 64);
  shortlist(3001, 96);
  shortlist(300, 64, 0.7f);
  shortlist(40, 64);
}
