#include "samp/xml_rpc.h"

#include <algorithm>
#include <pugixml.hpp>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/printable.h"

namespace astroclip::samp {

namespace {

using nlohmann::json;

constexpr int deepest = 16;

std::string ascii(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return (c < ' ' && c != '\t' && c != '\n' && c != '\r') || c > '~'; }, '?');
  return text;
}

void add_value(pugi::xml_node to, const json& value) {
  pugi::xml_node node = to.append_child("value");
  if (value.is_array()) {
    pugi::xml_node data = node.append_child("array").append_child("data");
    for (const json& one : value) add_value(data, one);
  } else if (value.is_object()) {
    pugi::xml_node members = node.append_child("struct");
    for (const auto& [name, one] : value.items()) {
      pugi::xml_node member = members.append_child("member");
      member.append_child("name").text().set(ascii(name).c_str());
      add_value(member, one);
    }
  } else {
    node.append_child("string").text().set(ascii(value.get<std::string>()).c_str());
  }
}

std::string text_of(const pugi::xml_document& document) {
  std::ostringstream text;
  document.save(text, "", pugi::format_raw);
  return text.str();
}

json value_in(const pugi::xml_node& node, int depth) {
  if (!node) throw Error("a message of XML-RPC lacks a value");
  if (depth > deepest) throw Error("a message of XML-RPC is nested too deeply");
  const pugi::xml_node of_type =
      node.find_child([](const pugi::xml_node& one) { return one.type() == pugi::node_element; });
  const std::string_view type = of_type.name();
  if (type == "array") {
    json list = json::array();
    for (const pugi::xml_node& one : of_type.child("data").children("value")) list.push_back(value_in(one, depth + 1));
    return list;
  }
  if (type == "struct") {
    json members = json::object();
    for (const pugi::xml_node& one : of_type.children("member"))
      members[one.child_value("name")] = value_in(one.child("value"), depth + 1);
    return members;
  }
  return std::string(of_type ? of_type.child_value() : node.child_value());
}

/// The element of that name at the root.
pugi::xml_node parsed(pugi::xml_document& document, const std::string& text, const char* root) {
  const bool is_whole =
      document.load_buffer(text.data(), text.size(), pugi::parse_default | pugi::parse_ws_pcdata_single);
  const pugi::xml_node node = document.child(root);
  if (!is_whole || !node) throw Error("this is no message of XML-RPC");
  return node;
}

}  // namespace

std::string call_text(const Call& call) {
  pugi::xml_document document;
  pugi::xml_node node = document.append_child("methodCall");
  node.append_child("methodName").text().set(ascii(call.method).c_str());
  pugi::xml_node parameters = node.append_child("params");
  for (const json& one : call.parameters) add_value(parameters.append_child("param"), one);
  return text_of(document);
}

std::string answer_text(const json& value) {
  pugi::xml_document document;
  add_value(document.append_child("methodResponse").append_child("params").append_child("param"), value);
  return text_of(document);
}

std::string fault_text(const std::string& reason) {
  pugi::xml_document document;
  pugi::xml_node members =
      document.append_child("methodResponse").append_child("fault").append_child("value").append_child("struct");
  const auto add = [&](const char* name, const char* type, const std::string& value) {
    pugi::xml_node member = members.append_child("member");
    member.append_child("name").text().set(name);
    member.append_child("value").append_child(type).text().set(value.c_str());
  };
  add("faultCode", "int", "1");
  add("faultString", "string", ascii(reason));
  return text_of(document);
}

Call parsed_call(const std::string& text) {
  pugi::xml_document document;
  const pugi::xml_node node = parsed(document, text, "methodCall");
  Call call{node.child_value("methodName"), {}};
  for (const pugi::xml_node& one : node.child("params").children("param"))
    call.parameters.push_back(value_in(one.child("value"), 0));
  return call;
}

json parsed_answer(const std::string& text) {
  pugi::xml_document document;
  const pugi::xml_node node = parsed(document, text, "methodResponse");
  if (const pugi::xml_node fault = node.child("fault")) {
    const json members = value_in(fault.child("value"), 0);
    const std::string reason = members.is_object() ? members.value("faultString", "") : "";
    throw Error(reason.empty() ? "the call has failed" : printable(reason, 300));
  }
  return value_in(node.child("params").child("param").child("value"), 0);
}

}  // namespace astroclip::samp
