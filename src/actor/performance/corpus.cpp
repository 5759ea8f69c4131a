#include "mien/actor/corpus.h"

#include <array>
#include <set>
#include <span>
#include <string_view>

#include "mien/base/error.h"
#include "mien/base/random.h"

namespace mien {
namespace {

using Words = std::span<const char* const>;

constexpr std::array kPeople = {"my brother",
                                "the teacher",
                                "Thomas",
                                "a young doctor",
                                "our neighbour",
                                "the old fisherman",
                                "Maria",
                                "the baker",
                                "your uncle",
                                "George",
                                "the judge",
                                "a quiet boy",
                                "the whole family",
                                "Charlotte",
                                "her mother",
                                "the painter",
                                "a clever thief",
                                "the captain",
                                "Philip",
                                "the tall pilot",
                                "Beth",
                                "my favourite author",
                                "the village priest",
                                "Vivian",
                                "the new waiter",
                                "a brave firefighter",
                                "the mayor",
                                "Joyce"};
constexpr std::array kPast = {"bought",  "found",     "lost",      "painted",   "noticed",  "borrowed",     "carried",
                              "dropped", "polished",  "fixed",     "wrapped",   "measured", "described",    "hid",
                              "washed",  "gave away", "threw out", "pulled up", "watched",  "photographed", "chose",
                              "forgot",  "broke",     "moved",     "covered",   "enjoyed",  "brought back"};
constexpr std::array kVerbs = {
    "buy",      "find",    "move", "paint", "borrow",  "carry", "drop",   "polish", "fix",     "wrap",  "measure",
    "describe", "hide",    "wash", "pull",  "push",    "watch", "choose", "forget", "break",   "cover", "enjoy",
    "bring",    "explain", "show", "throw", "prepare", "visit", "change", "judge",  "sharpen", "save",  "improve"};
constexpr std::array kAdjectives = {
    "blue",   "beautiful", "wooden", "huge",   "tiny",    "expensive", "purple",  "broken", "fresh",  "warm",
    "famous", "heavy",     "smooth", "bright", "strange", "perfect",   "muddy",   "thick",  "yellow", "awful",
    "golden", "sharp",     "cheap",  "rough",  "quiet",   "square",    "unusual", "bitter", "shiny",  "fragile"};
constexpr std::array kThings = {"boat",       "umbrella", "piano",         "basket",      "photograph", "mirror",
                                "treasure",   "window",   "blanket",       "garage",      "violin",     "map",
                                "ladder",     "pumpkin",  "feather",       "jacket",      "machine",    "oven",
                                "pillow",     "thimble",  "yacht",         "hammer",      "bracelet",   "shovel",
                                "toothbrush", "coin",     "cabbage",       "wheelbarrow", "envelope",   "fountain",
                                "sausage",    "puppet",   "measuring cup", "bathrobe",    "television", "vase"};
constexpr std::array kPlaces = {"in the park",
                                "behind the church",
                                "at the beach",
                                "under the bridge",
                                "near the village",
                                "by the river",
                                "in the middle of the road",
                                "on top of the mountain",
                                "at the airport",
                                "in a small hotel",
                                "above the shop",
                                "outside the theatre",
                                "beyond the forest",
                                "inside the garage",
                                "between two houses",
                                "from Bombay",
                                "at my house",
                                "on the wharf",
                                "in South Africa",
                                "around the corner"};
constexpr std::array kTimes = {
    "yesterday",        "this morning",        "before breakfast",    "every Thursday",     "in the month of May",
    "a few years ago",  "after the storm",     "at half past five",   "last February",      "on his birthday",
    "once in a while",  "as soon as possible", "twice a week",        "over the summer",    "at the very end",
    "just before noon", "without a sound",     "with great pleasure", "for the first time", "by mistake"};
constexpr std::array kFeelings = {"happy",    "furious", "worried", "proud",    "surprised",     "bored",   "afraid",
                                  "grateful", "hopeful", "jealous", "amazed",   "tired",         "nervous", "pleased",
                                  "ashamed",  "curious", "anxious", "relieved", "awfully sorry", "thrilled"};
constexpr std::array kReasons = {
    "because the bus was late",         "although nobody had asked",        "since the weather is changing",
    "if you give me five more minutes", "while the music was playing",      "when the phone began to ring",
    "unless we find a better way",      "but that was not the whole truth", "and everybody laughed",
    "so we had to walk home",           "which made the problem worse",     "as though it were nothing",
    "before the water boils over",      "even though the price was fair",   "and I never saw it again"};
constexpr std::array kReplies = {
    "Of course", "Oh no",       "Maybe",     "I beg your pardon",   "Absolutely",     "Never mind",
    "Well",      "What a pity", "Wow",       "Thank you very much", "Good heavens",   "All right",
    "Probably",  "My goodness", "Excuse me", "Yes please",          "You are joking", "How marvellous",
    "Bravo",     "As you wish"};
constexpr std::array kNumbers = {"three",        "five",      "seven",       "eleven",
                                 "twelve",       "fifteen",   "twenty two",  "thirty four",
                                 "forty",        "fifty six", "sixty",       "seventy eight",
                                 "eighty one",   "ninety",    "one hundred", "five hundred and four",
                                 "two thousand", "a million"};
constexpr std::array kTopics = {"the government",
                                "mathematics",
                                "the price of bread",
                                "English grammar",
                                "the future",
                                "a good book",
                                "public transport",
                                "modern music",
                                "the human voice",
                                "my job",
                                "the weather",
                                "other people",
                                "climbing mountains",
                                "the theory of numbers",
                                "football",
                                "growing vegetables",
                                "the history of Rome",
                                "vision"};
constexpr std::array kAdverbs = {
    "slowly", "quickly",   "rather badly", "beautifully", "above all", "probably", "very often", "hardly ever",
    "calmly", "foolishly", "perfectly",    "obviously",   "by and by", "forever",  "simply",     "again and again"};

// $ letters stand for the lists; every other character is copied.
constexpr std::array kTemplates = {
    "$P $D the $A $T $L.",
    "$P $D a $A $T $W.",
    "Did $P really $V the $A $T?",
    "Please $V the $T $L, $R.",
    "I am so $F that $P $D my $A $T!",
    "$Y, we should $V $N more $Ts $W.",
    "$P was $F $R.",
    "There were $N $A $Ts $L $W.",
    "Why would anybody $V such a $A $T?",
    "Tell me what you think about $O.",
    "$P spoke $B about $O, $R.",
    "$Y! The $A $T is $L.",
    "You may $V it $W, $R.",
    "We could $V the $T, the $T or the $T.",
    "Nothing is as $A as a $T $L.",
    "How many $Ts did $P $V $W?",
    "$O and $O have much in common.",
    "Perhaps $P will $V $O $B.",
    "Both the $A $T and the $A $T belong to $P.",
    "Where is the $T that $P $D $W?",
    "If $P is $F, we must $V the $T.",
    "$P $D $N $Ts, $R.",
    "Never $V a $A $T $W!",
    "My $T is more $A than your $T.",
    "Is it $A, or is it $A?",
    "$Y. $P always says that about $O.",
};

Words list_of(char letter) {
  switch (letter) {
    case 'P':
      return kPeople;
    case 'D':
      return kPast;
    case 'V':
      return kVerbs;
    case 'A':
      return kAdjectives;
    case 'T':
      return kThings;
    case 'L':
      return kPlaces;
    case 'W':
      return kTimes;
    case 'F':
      return kFeelings;
    case 'R':
      return kReasons;
    case 'Y':
      return kReplies;
    case 'N':
      return kNumbers;
    case 'O':
      return kTopics;
    case 'B':
      return kAdverbs;
    default:
      MIEN_CHECK(false, "template letter {}", letter);
  }
}

bool starts_with_vowel(std::string_view word) {
  if (word.starts_with("unusual")) return false;
  return !word.empty() && std::string_view("aeiou").find(word.front()) != std::string_view::npos;
}

std::string fill(std::string_view pattern, Random& random) {
  std::string text;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != '$') {
      text += pattern[i];
      continue;
    }
    const Words words = list_of(pattern[++i]);
    const std::string_view word = words[random.below(static_cast<std::uint32_t>(words.size()))];
    // "a umbrella" -> "an umbrella".
    const bool article = text.ends_with(" a ") || text == "a ";
    if (article && starts_with_vowel(word)) text.back() = 'n', text += ' ';
    text += word;
    // Plural of a hissing end: "toothbrush" + "s".
    if (word.ends_with("sh") && i + 1 < pattern.size() && pattern[i + 1] == 's') text += 'e';
  }
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

}  // namespace

std::vector<std::string> corpus_sentences(int count, std::uint64_t seed) {
  if (count < 0 || count > 200000) {
    throw Error(ErrorCode::kBadArgument, fmt::format("corpus of {} sentences", count), "ask for 0 to 200000");
  }
  Random random(seed, 0x5e47);
  std::vector<std::string> sentences;
  std::set<std::string> seen(test_sentences().begin(), test_sentences().end());
  while (static_cast<int>(sentences.size()) < count) {
    const auto pattern = kTemplates[random.below(static_cast<std::uint32_t>(kTemplates.size()))];
    std::string text = fill(pattern, random);
    if (seen.insert(text).second) sentences.push_back(std::move(text));
  }
  return sentences;
}

}  // namespace mien
